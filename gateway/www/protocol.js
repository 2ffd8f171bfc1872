/*
 * The protocol client: one WebSocket that comes back by itself, and an outbox
 * that survives a reload.
 *
 *   send(chatId, text) -> outbox (localStorage) -> socket -> new_message: done
 *                              \__ repeated after every reconnect, with the same
 *                                  front_msg_id: the server stores it once
 *
 * Events: one per frame type of the contract ("new_message", ...), whose detail
 * is the frame; "online" and "offline" for the line; "signed-out" when the
 * token no longer holds.
 *
 * SPDX-License-Identifier: MIT
 */

const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 15000;
const OUTBOX_KEY = 'parley.outbox';

export class Protocol extends EventTarget {
  #token;
  #socket = null;
  #ready = false;
  #backoff = BACKOFF_MIN_MS;
  #timer = null;
  #outbox = [];
  #outboxKey = null; // one outbox a user: known with the first user_info
  #closed = false;

  constructor(token) {
    super();
    this.#token = token;
    window.addEventListener('online', () => this.#hurry());
  }

  open() {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(
      `${scheme}//${location.host}/ws?token=${encodeURIComponent(this.#token)}`);
    this.#socket = socket;
    socket.addEventListener('message', (e) => this.#onMessage(JSON.parse(e.data)));
    socket.addEventListener('close', (e) => this.#onClose(socket, e));
  }

  /* Gives up the line for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  get ready() {
    return this.#ready;
  }

  /* A request that need not survive a lost line; false when there is none. */
  request(type, fields = {}) {
    if (!this.#ready) {
      return false;
    }
    this.#socket.send(JSON.stringify({ type, ...fields }));
    return true;
  }

  /* Queues a text and returns the message as the sender sees it. */
  send(chatId, content) {
    const entry = {
      front_msg_id: uuid(),
      chat_id: chatId,
      content,
      time: new Date().toISOString(),
    };
    this.#outbox.push(entry);
    this.#save();
    if (this.#ready) {
      this.#transmit(entry);
    }
    return entry;
  }

  /* What was sent to this chat and is not acknowledged. */
  pending(chatId) {
    return this.#outbox.filter((entry) => entry.chat_id === chatId);
  }

  logout() {
    if (this.#outboxKey !== null) {
      localStorage.removeItem(this.#outboxKey);
    }
    if (!this.request('logout')) {
      this.close();
    }
  }

  #transmit(entry) {
    this.#socket.send(JSON.stringify({
      type: 'send_message',
      chat_id: entry.chat_id,
      msg: {
        front_msg_id: entry.front_msg_id,
        chat_id: entry.chat_id,
        content: entry.content,
        format: 'text',
        time: entry.time,
      },
    }));
  }

  #settle(frontMsgId) {
    const before = this.#outbox.length;
    this.#outbox = this.#outbox.filter((e) => e.front_msg_id !== frontMsgId);
    if (this.#outbox.length !== before) {
      this.#save();
    }
  }

  #onMessage(frame) {
    if (frame.type === 'user_info') {
      if (this.#outboxKey === null) {
        this.#outboxKey = `${OUTBOX_KEY}.${frame.user.id}`;
        this.#outbox = load(this.#outboxKey);
      }
      this.#ready = true;
      this.#backoff = BACKOFF_MIN_MS;
      this.#emit('online');
    }
    if (frame.type === 'new_message' && frame.message.front_msg_id) {
      this.#settle(frame.message.front_msg_id);
    }
    if (frame.type === 'error' || frame.type === 'chat_forbidden') {
      this.#onRefused(frame);
    }
    this.#emit(frame.type, frame);
    if (frame.type === 'user_info') {
      this.#outbox.forEach((entry) => this.#transmit(entry));
    }
  }

  #onRefused(frame) {
    if (!frame.front_msg_id) {
      return;
    }
    if (frame.reason === 'unavailable' || frame.reason === 'rate_limited') {
      const again = this.#outbox.find((e) => e.front_msg_id === frame.front_msg_id);
      setTimeout(() => {
        if (again && this.#ready && this.#outbox.includes(again)) {
          this.#transmit(again);
        }
      }, frame.retry_after_ms ?? 1000);
    } else {
      this.#settle(frame.front_msg_id);
    }
  }

  #onClose(socket, event) {
    if (socket !== this.#socket) {
      return;
    }
    this.#ready = false;
    if (event.code === 1008 || event.code === 1000) {
      this.#closed = true;
      this.#emit('signed-out', { reason: event.code === 1008 ? event.reason : '' });
      return;
    }
    this.#emit('offline');
    if (!this.#closed) {
      const wait = this.#backoff / 2 + Math.random() * this.#backoff;
      this.#backoff = Math.min(this.#backoff * 2, BACKOFF_MAX_MS);
      this.#timer = setTimeout(() => this.open(), wait);
    }
  }

  /* The browser says the network is back: do not wait out the pause. */
  #hurry() {
    if (!this.#closed && this.#socket?.readyState === WebSocket.CLOSED) {
      clearTimeout(this.#timer);
      this.open();
    }
  }

  #save() {
    localStorage.setItem(this.#outboxKey, JSON.stringify(this.#outbox));
  }

  #emit(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function load(key) {
  try {
    const stored = JSON.parse(localStorage.getItem(key));
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}

/* crypto.randomUUID needs a secure context; a page over plain http has none. */
function uuid() {
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  const hex = [...b].map((x) => x.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/* POST; resolves to {status, body}. */
export async function post(path, body) {
  const json = !(body instanceof FormData);
  const response = await fetch(path, {
    method: 'POST',
    headers: json ? { 'Content-Type': 'application/json' } : {},
    body: json ? JSON.stringify(body) : body,
  });
  let answer = {};
  try {
    answer = await response.json();
  } catch {
    answer = { error: `The server answered ${response.status}` };
  }
  return { status: response.status, body: answer };
}
