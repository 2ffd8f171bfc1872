/*
 * The routes under /api. Uploads go by XMLHttpRequest, since fetch tells of no
 * progress of what is sent.
 *
 * SPDX-License-Identifier: MIT
 */

export class HttpError extends Error {
  /* status 0: the server was not reached. fields: what was wrong with each. */
  constructor(status, message, fields = null, retryAfterMs = null) {
    super(message);
    this.status = status;
    this.fields = fields;
    this.retryAfterMs = retryAfterMs;
  }

  /* Worth another try without a change. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

function faultOf(status, body, retryAfter) {
  const seconds = Number(retryAfter);
  const wait = retryAfter && Number.isFinite(seconds) ? seconds * 1000 : null;
  return new HttpError(status, body?.error ?? `The server answered ${status}`,
    body?.errors ?? null, body?.retry_after_ms ?? wait);
}

async function call(method, path, { token = null, json = null, form = null } = {}) {
  const headers = {};
  if (token) {
    headers.Authorization = `Bearer ${token}`;
  }
  if (json) {
    headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(path, { method, headers, body: json ? JSON.stringify(json) : form });
  } catch {
    throw new HttpError(0, 'The server cannot be reached');
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    throw faultOf(response.status, body, response.headers.get('retry-after'));
  }
  return body;
}

export const http = {
  /* {token} */
  logIn: (username, password) => call('POST', '/api/login', { json: { username, password } }),

  /* form: FormData of username, password, name, email, avatar. {token} */
  register: (form) => call('POST', '/api/register', { form }),

  /* [{id, content, user_id, time, seq}], oldest first */
  searchMessages: (token, chatId, query) =>
    call('GET', `/api/chats/${chatId}/search?q=${encodeURIComponent(query)}`, { token }),

  /* onProgress: 0..1. signal: of an AbortController. */
  upload(token, path, field, file, { onProgress = null, signal = null } = {}) {
    return new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest();
      const form = new FormData();
      form.append(field, file, file.name || 'file');
      xhr.open('POST', path);
      xhr.setRequestHeader('Authorization', `Bearer ${token}`);
      xhr.responseType = 'json';
      xhr.upload.onprogress = (event) => {
        if (event.lengthComputable) {
          onProgress?.(event.loaded / event.total);
        }
      };
      xhr.onload = () => (xhr.status === 200 ? resolve(xhr.response)
        : reject(faultOf(xhr.status, xhr.response, xhr.getResponseHeader('retry-after'))));
      xhr.onerror = () => reject(new HttpError(0, 'The server cannot be reached'));
      xhr.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
      signal?.addEventListener('abort', () => xhr.abort());
      xhr.send(form);
    });
  },

  uploadFile: (token, file, options) =>
    http.upload(token, '/api/chat/upload', 'file', file, options),
  setOwnAvatar: (token, file, options) =>
    http.upload(token, '/api/users/me/avatar', 'avatar', file, options),
  /* Under an id that no group has it only stores the picture. */
  setGroupAvatar: (token, groupId, file, options) =>
    http.upload(token, `/api/groups/${groupId}/avatar`, 'avatar', file, options),
};
