/*
 * The banner of a lost line. A short gap is not worth a word.
 *
 * SPDX-License-Identifier: MIT
 */
import { $, el } from './dom.js';
import { icon } from './icons.js';

const PATIENCE_MS = 800;

export class Banner {
  #session;
  #timer = null;

  constructor(session) {
    this.#session = session;
    session.client.on('state', () => this.#onState());
    session.client.on('outbox', () => this.#draw());
    this.#onState();
  }

  #onState() {
    clearTimeout(this.#timer);
    const { state } = this.#session.client;
    if (state === 'online') {
      $('banner').hidden = true;
    } else if ($('banner').hidden) {
      const wait = navigator.onLine === false ? 0 : PATIENCE_MS;
      this.#timer = setTimeout(() => {
        $('banner').hidden = false;
        this.#draw();
      }, wait);
    } else {
      this.#draw();
    }
  }

  #draw() {
    const { client } = this.#session;
    if ($('banner').hidden || client.state === 'online') {
      return;
    }
    const what = navigator.onLine === false ? 'No network.' : 'Connecting…';
    const waiting = client.outbox.size;
    const then = waiting > 0
      ? `${waiting} ${waiting === 1 ? 'message leaves' : 'messages leave'} when the line is back.`
      : 'What you send leaves when the line is back.';
    $('banner').replaceChildren(icon('offline', 18), el('span', {}, `${what} ${then}`));
    if (client.state === 'waiting') {
      $('banner').append(el('button', { type: 'button', onclick: () => client.retryNow() },
        'Try now'));
    }
  }
}
