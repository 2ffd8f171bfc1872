/*
 * What was sent and is not acknowledged. It survives reloads, crashes and days
 * without a line, and everything leaves once:
 *
 *   send() -> localStorage -> [upload of a file] -> socket -> new_message: gone
 *                                ^                     |
 *                                +--- repeated, always with the same front_msg_id,
 *                                     until the server has answered for it
 *
 * Each entry has a key of its own, so that two tabs never overwrite each other's
 * list. Both may send the same entry: the server stores it once by its
 * front_msg_id. What another tab wrote is left to it for a while.
 *
 * Within a chat, one message is on its way at a time: a later one cannot overtake
 * one that the server asked to repeat. A file joins that row when it is uploaded.
 *
 * SPDX-License-Identifier: MIT
 */
import { Backoff } from './backoff.js';
import { blobs } from './blobs.js';
import { Emitter } from './emitter.js';
import { uuid } from './uuid.js';

const PREFIX = 'parley.outbox.';
const ENTRIES_MAX = 500;
const OTHERS_GRACE_MS = 5_000;
const ANSWER_MS = 15_000;
const UPLOADS_MAX = 2;

export class OutboxFull extends Error {}

/* Of an entry, `kept` survives a reload; the rest is about this page's try. */
function entryOf(kept) {
  return {
    kept,
    sending: false,
    uploading: false,
    progress: 0,
    notBefore: 0,
    timer: null,
    cancel: null,
    backoff: new Backoff(1000, 30_000),
  };
}

export function formatOf(mime) {
  const kind = (mime ?? '').split('/')[0];
  return ['image', 'audio', 'video'].includes(kind) ? kind : 'file';
}

export class Outbox extends Emitter {
  #entries = new Map(); // front_msg_id -> entry, in order of sending
  #storage;
  #owner = null;
  #line; // {online(), send(frame), upload(file, options), abandon()}
  #last = 0;

  constructor(line, storage) {
    super();
    this.#line = line;
    this.#storage = storage;
  }

  /* Opens the outbox of a user: what an earlier page left waits here. */
  open(userId) {
    if (this.#owner === userId) {
      return;
    }
    this.#owner = userId;
    this.#entries.clear();
    const found = [];
    for (let i = 0; i < this.#storage.length; i += 1) {
      const key = this.#storage.key(i);
      if (key.startsWith(this.#prefix())) {
        const kept = parse(this.#storage.getItem(key));
        if (kept) {
          found.push(kept);
        }
      }
    }
    found.sort((a, b) => a.order - b.order);
    found.forEach((kept) => this.#entries.set(kept.front_msg_id, entryOf(kept)));
    globalThis.addEventListener?.('storage', this.#onStorage);
    this.#changed();
  }

  close() {
    globalThis.removeEventListener?.('storage', this.#onStorage);
    for (const entry of this.#entries.values()) {
      clearTimeout(entry.timer);
      entry.cancel?.abort();
    }
    this.#entries.clear();
    this.#owner = null;
  }

  /* At logout: nothing of this user stays on the machine. */
  clear() {
    [...this.#entries.keys()].forEach((id) => this.discard(id));
  }

  get size() {
    return this.#entries.size;
  }

  /* A text; returns its front_msg_id. */
  sendText(chatId, content) {
    return this.#add({ chat_id: chatId, format: 'text', content, filename: null });
  }

  /* A file; it is kept before this returns, then uploaded, then sent. */
  async sendFile(chatId, file) {
    const id = uuid();
    await blobs.put(id, file);
    return this.#add({
      front_msg_id: id,
      chat_id: chatId,
      format: formatOf(file.type),
      content: null,
      filename: (file.name || 'file').slice(-255),
      size: file.size,
    });
  }

  #add(fields) {
    if (this.#entries.size >= ENTRIES_MAX) {
      throw new OutboxFull();
    }
    this.#last = Math.max(this.#last + 1, Date.now());
    const kept = {
      front_msg_id: uuid(),
      time: new Date().toISOString(),
      order: this.#last,
      failed: null,
      ...fields,
    };
    this.#entries.set(kept.front_msg_id, entryOf(kept));
    this.#save(kept);
    this.#changed();
    this.pump();
    return kept.front_msg_id;
  }

  /* What a view shows below the messages of a chat. */
  pending(chatId) {
    return [...this.#entries.values()]
      .filter((entry) => entry.kept.chat_id === chatId)
      .map(({ kept, uploading, progress }) => ({ ...kept, uploading, progress }));
  }

  file(frontMsgId) {
    return blobs.get(frontMsgId);
  }

  /* After a failure that waiting does not mend. */
  retry(frontMsgId) {
    const entry = this.#entries.get(frontMsgId);
    if (entry) {
      entry.kept.failed = null;
      entry.notBefore = 0;
      this.#save(entry.kept);
      this.#changed();
      this.pump();
    }
  }

  discard(frontMsgId) {
    const entry = this.#entries.get(frontMsgId);
    if (!entry) {
      return;
    }
    clearTimeout(entry.timer);
    entry.cancel?.abort();
    this.#entries.delete(frontMsgId);
    this.#storage.removeItem(this.#prefix() + frontMsgId);
    blobs.delete(frontMsgId);
    this.#changed();
  }

  /* A chat that is gone takes its unsent messages along; returns how many. */
  dropChat(chatId) {
    const gone = this.pending(chatId);
    gone.forEach((entry) => this.discard(entry.front_msg_id));
    return gone.length;
  }

  /* The line is lost: what was on its way may or may not have arrived. */
  onOffline() {
    for (const entry of this.#entries.values()) {
      entry.sending = false;
      entry.notBefore = 0;
      clearTimeout(entry.timer);
    }
  }

  /* Each frame comes by: answers to sends end or delay an entry. */
  take(frame) {
    const id = frame.type === 'new_message' ? frame.message.front_msg_id : frame.front_msg_id;
    const entry = id && this.#entries.get(id);
    if (!entry) {
      return;
    }
    clearTimeout(entry.timer);
    entry.sending = false;
    if (frame.type === 'new_message') {
      this.discard(id);
    } else if (frame.type === 'error') {
      this.#onError(entry, frame);
    }
    this.pump();
  }

  /* Sends whatever may leave now. */
  pump() {
    if (!this.#line.online()) {
      return;
    }
    const busy = new Set(); // chats whose row does not move
    let uploads = [...this.#entries.values()].filter((e) => e.uploading).length;
    for (const entry of this.#entries.values()) {
      const { kept } = entry;
      if (kept.failed) {
        continue;
      }
      const waits = entry.notBefore > Date.now();
      if (kept.content === null) {
        if (!entry.uploading && !waits && uploads < UPLOADS_MAX) {
          uploads += 1;
          this.#upload(entry);
        }
      } else if (!busy.has(kept.chat_id)) {
        busy.add(kept.chat_id);
        if (!entry.sending && !waits) {
          this.#transmit(entry);
        }
      }
    }
  }

  #transmit(entry) {
    const { front_msg_id, chat_id, content, format, filename } = entry.kept;
    const msg = { front_msg_id, chat_id, content, format };
    if (filename) {
      msg.filename = filename;
    }
    if (this.#line.send({ type: 'send_message', chat_id, msg })) {
      entry.sending = true;
      entry.timer = setTimeout(() => this.#line.abandon(), ANSWER_MS);
    }
  }

  async #upload(entry) {
    entry.uploading = true;
    entry.progress = 0;
    entry.cancel = new AbortController();
    try {
      const file = await blobs.get(entry.kept.front_msg_id);
      if (!file) {
        this.#fail(entry, 'file_gone');
        return;
      }
      const stored = await this.#line.upload(file, {
        signal: entry.cancel.signal,
        onProgress: (part) => {
          entry.progress = part;
          this.#changed();
        },
      });
      entry.kept.content = stored.url;
      entry.kept.format = formatOf(stored.mime);
      this.#save(entry.kept);
    } catch (error) {
      this.#onUploadError(entry, error);
    } finally {
      entry.uploading = false;
      this.#changed();
      this.pump();
    }
  }

  #onUploadError(entry, error) {
    if (error.name === 'AbortError') {
      return;
    }
    if (error.passing) {
      this.#again(entry, error.retryAfterMs ?? entry.backoff.next());
    } else {
      this.#fail(entry, error.status === 413 ? 'too_large' : 'upload_failed');
    }
  }

  #onError(entry, frame) {
    if (frame.reason === 'rate_limited') {
      this.#again(entry, frame.retry_after_ms ?? 1000);
    } else if (frame.reason === 'unavailable') {
      this.#again(entry, entry.backoff.next());
    } else {
      this.#fail(entry, frame.reason);
    }
  }

  #again(entry, wait) {
    entry.notBefore = Date.now() + wait;
    entry.timer = setTimeout(() => {
      entry.notBefore = 0;
      this.pump();
    }, wait);
  }

  #fail(entry, reason) {
    entry.kept.failed = reason;
    this.#save(entry.kept);
    this.#changed();
  }

  #save(kept) {
    if (!this.#entries.has(kept.front_msg_id)) {
      return; // discarded meanwhile
    }
    try {
      this.#storage.setItem(this.#prefix() + kept.front_msg_id, JSON.stringify(kept));
    } catch (error) {
      console.warn('the message lives only as long as this page:', error);
    }
  }

  #prefix() {
    return `${PREFIX}${this.#owner}.`;
  }

  #changed() {
    this.emit('change');
  }

  /* Another tab has added to, or finished, its part of the list. */
  #onStorage = (event) => {
    if (!event.key?.startsWith(this.#prefix())) {
      return;
    }
    const id = event.key.slice(this.#prefix().length);
    const kept = parse(event.newValue);
    if (!kept) {
      const entry = this.#entries.get(id);
      clearTimeout(entry?.timer);
      this.#entries.delete(id);
    } else if (!this.#entries.has(id)) {
      const entry = entryOf(kept);
      this.#entries.set(id, entry);
      this.#again(entry, OTHERS_GRACE_MS);
    } else if (!this.#entries.get(id).sending) {
      this.#entries.get(id).kept = kept;
    }
    this.#changed();
    this.pump();
  };
}

function parse(text) {
  try {
    const kept = JSON.parse(text);
    return kept && typeof kept.front_msg_id === 'string' ? kept : null;
  } catch {
    return null;
  }
}
