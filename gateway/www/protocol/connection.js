/*
 * One WebSocket that comes back by itself.
 *
 *            start()             user_info
 *   closed ---------> connecting ---------> online
 *     ^                 ^    | lost           | lost
 *     | stop(),         |    v                v
 *     | token refused   +-- waiting <---------+
 *
 * Emits "state" at each change, "frame" for each frame, "refused" when the token
 * no longer holds (1008) and "ended" after a logout (1000). What the other close
 * codes mean for when to come back stands in pauseFor().
 *
 * A line can die without a word. When nothing was heard for a while, a request
 * that costs the server nothing is sent; no answer means that the line is dead.
 *
 * SPDX-License-Identifier: MIT
 */
import { Backoff } from './backoff.js';
import { Emitter } from './emitter.js';

const BACKOFF_FIRST_MS = 500;
const BACKOFF_LIMIT_MS = 20_000;
const BUSY_MS = 3_000; // the least wait where the server asked for room
const RESTART_MS = 800; // other gateways are there: soon, but not all at once
const ABUSE_MS = 60_000; // closed for too many bad frames: a fault of ours
const STEADY_MS = 10_000; // online for so long: the next wait is short again
const OPENING_MS = 15_000; // a handshake and user_info take no longer
const IDLE_MS = 25_000;
const ANSWER_MS = 10_000;
const TICK_MS = 2_000;

const TOKEN_REASONS = ['Token missing', 'Token expired', 'Unauthorized'];

export class Connection extends Emitter {
  #url;
  #socket = null;
  #state = 'closed';
  #backoff = new Backoff(BACKOFF_FIRST_MS, BACKOFF_LIMIT_MS);
  #timer = null;
  #ticker = null;
  #retryAt = null;
  #since = 0; // of the present state
  #heard = 0;
  #asked = 0; // when the probe was sent; 0: none is out

  /* url: of /ws, with the token in it. */
  constructor(url) {
    super();
    this.#url = url;
  }

  get state() {
    return this.#state;
  }

  get online() {
    return this.#state === 'online';
  }

  /* When the next try begins (ms since the epoch), while waiting. */
  get retryAt() {
    return this.#retryAt;
  }

  start() {
    globalThis.addEventListener?.('online', this.#onNetwork);
    globalThis.addEventListener?.('offline', this.#onNoNetwork);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#open();
  }

  stop() {
    globalThis.removeEventListener?.('online', this.#onNetwork);
    globalThis.removeEventListener?.('offline', this.#onNoNetwork);
    clearInterval(this.#ticker);
    clearTimeout(this.#timer);
    this.#drop();
    this.#become('closed');
  }

  /* Does not wait for the next try. */
  retryNow() {
    if (this.#state === 'waiting') {
      this.#open();
    }
  }

  /* False when there is no line. */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      return false;
    }
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /* Is the line alive? Worth asking after a sleep of the machine. */
  probe() {
    if (this.online && !this.#asked) {
      this.#asked = Date.now();
      this.send({ type: 'sync', chats: [], request_id: 'probe' });
    }
  }

  /* The line is known to be dead: an answer did not come. */
  abandon() {
    if (this.#socket) {
      this.#drop();
      this.#wait(this.#backoff.next());
    }
  }

  #open() {
    clearTimeout(this.#timer);
    this.#drop();
    this.#retryAt = null;
    this.#asked = 0;
    this.#become('connecting');
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onmessage = (event) => this.#onMessage(event);
    socket.onclose = (event) => this.#onClose(event);
  }

  /* Forgets the socket without hearing of its end. */
  #drop() {
    if (this.#socket) {
      this.#socket.onmessage = null;
      this.#socket.onclose = null;
      this.#socket.close();
      this.#socket = null;
    }
  }

  #become(state) {
    if (state !== this.#state) {
      this.#state = state;
      this.#since = Date.now();
      this.emit('state', state);
    }
  }

  #wait(pause) {
    this.#retryAt = Date.now() + pause;
    this.#become('waiting');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), pause);
  }

  #onMessage(event) {
    this.#heard = Date.now();
    this.#asked = 0;
    const frame = JSON.parse(event.data);
    if (frame.type === 'user_info') {
      this.#become('online');
    }
    this.emit('frame', frame);
  }

  #onClose(event) {
    this.#socket = null;
    if (event.code === 1008 && TOKEN_REASONS.includes(event.reason)) {
      this.stop();
      this.emit('refused', event.reason);
    } else if (event.code === 1000) {
      this.stop();
      this.emit('ended');
    } else {
      if (this.online && Date.now() - this.#since > STEADY_MS) {
        this.#backoff.reset();
      }
      this.#wait(this.#pauseFor(event.code));
    }
  }

  #pauseFor(code) {
    const pause = this.#backoff.next();
    switch (code) {
      case 1001: // the gateway goes away,
      case 1012: // restarts, or asks us to come again
        return Math.max(pause, Math.random() * RESTART_MS);
      case 1013: // over capacity, or we read too slowly
        return Math.max(pause, BUSY_MS * (0.5 + Math.random()));
      case 1008: // abuse: coming back at once would only repeat it
        return ABUSE_MS;
      default: // 1006: the line was lost
        return pause;
    }
  }

  #tick() {
    const now = Date.now();
    if (this.#state === 'connecting' && now - this.#since > OPENING_MS) {
      this.abandon();
    } else if (this.online && this.#asked && now - this.#asked > ANSWER_MS) {
      this.abandon();
    } else if (this.online && now - this.#heard > IDLE_MS) {
      this.probe();
    }
  }

  #onNetwork = () => {
    this.retryNow();
    this.probe();
  };

  #onNoNetwork = () => {
    if (this.#state === 'online' || this.#state === 'connecting') {
      this.abandon();
    }
  };
}
