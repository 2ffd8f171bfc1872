/*
 * Requests and their direct answers, brought together by request_id.
 *
 * Of what can go wrong, some is only a matter of time: `rate_limited` says how
 * long to wait, and `unavailable` may be repeated for requests that do no harm
 * when they are done twice (the caller knows which). What is asked while the line
 * is being made waits until it is. Everything else is the caller's to explain to
 * people.
 *
 * SPDX-License-Identifier: MIT
 */
import { Backoff } from './backoff.js';
import { uuid } from './uuid.js';

const ANSWER_MS = 15_000; // the server answers, if only "unavailable", sooner
const REPEATS_MAX = 4;
const RATE_WAIT_LIMIT_MS = 30_000;

export class RequestError extends Error {
  /* reason: of the contract's `error`, or "offline", or "forbidden". */
  constructor(reason, frame = null) {
    super(reason);
    this.reason = reason;
    this.frame = frame;
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Requests {
  #connection;
  #waiting = new Map(); // request_id -> {resolve, reject, timer, type}

  constructor(connection) {
    this.#connection = connection;
    connection.on('state', (state) => {
      if (state !== 'online') {
        this.#failAll();
      }
    });
  }

  /* The direct answer, as a frame; throws RequestError. `repeatable`: may be
   * done twice. `answer`: the type that ends the answer, where several frames
   * carry the request_id. */
  async ask(type, fields = {}, { repeatable = false, answer = null } = {}) {
    const backoff = new Backoff(500, 5_000);
    const request = { type, request_id: uuid(), ...fields };
    for (let repeats = 0; ; repeats += 1) {
      await this.#whileConnecting();
      try {
        return await this.#once(request, answer);
      } catch (error) {
        const wait = error.reason === 'rate_limited'
          ? error.frame.retry_after_ms ?? 1000
          : error.reason === 'unavailable' && repeatable ? backoff.next() : null;
        if (wait === null || wait > RATE_WAIT_LIMIT_MS || repeats >= REPEATS_MAX) {
          throw error;
        }
        await pause(wait);
      }
    }
  }

  /* A line that is being made is there in a moment, or known to be lost: the page
   * shows what it last saw before it is. */
  #whileConnecting() {
    return this.#connection.state === 'connecting' && new Promise((done) => {
      const stop = this.#connection.on('state', () => {
        stop();
        done();
      });
    });
  }

  #once(request, answer) {
    return new Promise((resolve, reject) => {
      if (!this.#connection.online || !this.#connection.send(request)) {
        reject(new RequestError('offline'));
        return;
      }
      const timer = setTimeout(() => this.#connection.abandon(), ANSWER_MS);
      this.#waiting.set(request.request_id, { resolve, reject, timer, answer });
    });
  }

  /* Takes a frame; true when it was awaited here. */
  take(frame) {
    const waiting = this.#waiting.get(frame.request_id);
    if (!waiting) {
      return false;
    }
    const failed = frame.type === 'error' || frame.type === 'chat_forbidden';
    if (waiting.answer && frame.type !== waiting.answer && frame.type !== 'error') {
      return true;
    }
    this.#waiting.delete(frame.request_id);
    clearTimeout(waiting.timer);
    if (failed) {
      waiting.reject(new RequestError(frame.reason ?? 'forbidden', frame));
    } else {
      waiting.resolve(frame);
    }
    return true;
  }

  #failAll() {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject, timer } of all) {
      clearTimeout(timer);
      reject(new RequestError('offline'));
    }
  }
}
