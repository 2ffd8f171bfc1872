/*
 * The protocol as an application uses it: a line that comes back by itself,
 * requests that are promises, an outbox that loses nothing, and what was missed
 * while away. It knows nothing of any page.
 *
 *   const client = new Client({ token });
 *   client.on('new_message', ({ message }) => ...);   // every frame by its type
 *   client.on('state', (state) => ...);               // connecting, online, waiting
 *   client.start();
 *   client.outbox.sendText(chatId, 'Hello');
 *   const { person_info } = await client.ask('get_person_info', { person_id });
 *
 * Events besides the frames: "state", "signed-out" {reason}, "outbox".
 *
 * SPDX-License-Identifier: MIT
 */
import { Connection } from './connection.js';
import { Emitter } from './emitter.js';
import { http } from './http.js';
import { Outbox } from './outbox.js';
import { Requests } from './requests.js';

const SYNC_CHATS_MAX = 200;

/* Asking twice does no harm. create_group has its request_id as key. */
const REPEATABLE = new Set([
  'open_chat', 'get_messages', 'sync', 'get_contacts', 'get_person_info', 'search_people',
  'create_private_chat', 'create_group', 'chat_messages_read',
]);

function socketUrl(origin, token) {
  const url = new URL('/ws', origin);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('token', token);
  return url.href;
}

export class Client extends Emitter {
  #connection;
  #requests;

  constructor({ token, origin = location.origin, storage = localStorage }) {
    super();
    this.token = token;
    this.#connection = new Connection(socketUrl(origin, token));
    this.#requests = new Requests(this.#connection);
    this.outbox = new Outbox({
      online: () => this.online,
      send: (frame) => this.#connection.send(frame),
      abandon: () => this.#connection.abandon(),
      upload: (file, options) => http.uploadFile(token, file, options),
    }, storage);
    this.#connection.on('state', (state) => this.#onState(state));
    this.#connection.on('frame', (frame) => this.#onFrame(frame));
    this.#connection.on('refused', (reason) => this.emit('signed-out', { reason }));
    this.#connection.on('ended', () => this.emit('signed-out', { reason: '' }));
    this.outbox.on('change', () => this.emit('outbox'));
  }

  get state() {
    return this.#connection.state;
  }

  get online() {
    return this.#connection.online;
  }

  get retryAt() {
    return this.#connection.retryAt;
  }

  start() {
    this.#connection.start();
  }

  stop() {
    this.#connection.stop();
    this.outbox.close();
  }

  retryNow() {
    this.#connection.retryNow();
  }

  probe() {
    this.#connection.probe();
  }

  /* The server ends the token; without a line it lives on until it expires. */
  logOut() {
    this.outbox.clear();
    if (!this.#connection.send({ type: 'logout' })) {
      this.stop();
      this.emit('signed-out', { reason: '' });
    }
  }

  /* The direct answer to a request; throws RequestError. */
  ask(type, fields = {}, options = {}) {
    return this.#requests.ask(type, fields, { repeatable: REPEATABLE.has(type), ...options });
  }

  /* For what nobody waits for. */
  tell(type, fields = {}) {
    return this.online && this.#connection.send({ type, ...fields });
  }

  /* Brings chats up to date: marks are {chat_id, last_seq}. The pages come as
   * chat_messages; more(chatId) gives the next mark of a chat that has more, or
   * null where so much was missed that the caller rather begins anew. */
  async sync(marks, more) {
    let rest = marks;
    while (rest.length > 0) {
      const now = rest.slice(0, SYNC_CHATS_MAX);
      const unfinished = [];
      const stop = this.on('chat_messages', (page) => {
        if (page.has_more && now.some((mark) => mark.chat_id === page.chat_id)) {
          unfinished.push(page.chat_id);
        }
      });
      try {
        await this.ask('sync', { chats: now }, { answer: 'sync_done' });
      } finally {
        stop();
      }
      const again = [...new Set(unfinished)].map(more).filter(Boolean);
      rest = [...rest.slice(SYNC_CHATS_MAX), ...again];
    }
  }

  #onState(state) {
    if (state !== 'online') {
      this.outbox.onOffline();
    }
    this.emit('state', state);
  }

  #onFrame(frame) {
    if (frame.type === 'user_info') {
      this.outbox.open(frame.user.id);
      // Before anything else is asked: a message that was stored, but whose
      // answer was lost with the line, is known as ours again before a page of
      // its chat shows it a second time.
      this.outbox.pump();
    }
    // Before the requests: a message must not be shown twice, as sent and as
    // waiting.
    this.outbox.take(frame);
    this.emit(frame.type, frame);
    this.#requests.take(frame);
  }
}
