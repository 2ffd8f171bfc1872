/*
 * Search in the open chat: a field, what was found, and a way to each place.
 *
 * SPDX-License-Identifier: MIT
 */
import { http } from '../protocol/index.js';
import { $, el, whenQuiet } from './dom.js';
import { icon } from './icons.js';
import { explain, say } from './toast.js';
import { dayAndClock } from './time.js';

const QUIET_MS = 250;
const BEFORE = 24; // characters shown before the match

export class Finder {
  #session;
  #messages;
  #chatId = null;
  #input = null;
  #results = null;

  constructor(session, messages) {
    this.#session = session;
    this.#messages = messages;
    $('chat-search').replaceChildren(icon('search', 21));
    $('chat-search').onclick = () => (this.isOpen ? this.close() : this.open());
  }

  get isOpen() {
    return !$('finder').hidden;
  }

  #ask = whenQuiet((query) => this.#search(query), QUIET_MS);

  open() {
    this.#chatId = this.#session.store.openId;
    this.#input = el('input', {
      type: 'search', placeholder: 'Search in this chat', 'aria-label': 'Search in this chat',
      autocomplete: 'off', oninput: () => this.#onInput(), onkeydown: (event) => this.#onKey(event),
    });
    this.#results = el('div', { class: 'finder-results', 'aria-live': 'polite' });
    $('finder').replaceChildren(
      el('div', { class: 'finder-bar' }, this.#input, el('button', {
        type: 'button', class: 'plain', 'aria-label': 'Close the search', onclick: () => this.close(),
      }, icon('close'))),
      this.#results);
    $('finder').hidden = false;
    $('chat-search').setAttribute('aria-expanded', 'true');
    this.#input.focus();
  }

  close() {
    $('finder').hidden = true;
    $('finder').replaceChildren();
    $('chat-search').setAttribute('aria-expanded', 'false');
  }

  /* Another chat was opened. */
  draw() {
    if (this.isOpen && this.#session.store.openId !== this.#chatId) {
      this.close();
    }
  }

  #onInput() {
    const query = this.#input.value.trim();
    if (query) {
      this.#ask(query);
    } else {
      this.#results.replaceChildren();
    }
  }

  #onKey(event) {
    if (event.key === 'Escape') {
      event.stopPropagation();
      this.close();
      $('text').focus();
    } else if (event.key === 'ArrowDown') {
      event.preventDefault();
      this.#results.querySelector('button')?.focus();
    }
  }

  async #search(query) {
    if (!this.isOpen || this.#input.value.trim() !== query) {
      return;
    }
    try {
      const found = await http.searchMessages(this.#session.client.token, this.#chatId, query);
      if (this.isOpen && this.#input.value.trim() === query) {
        this.#show(found.reverse(), query);
      }
    } catch (error) {
      this.#results.replaceChildren(el('p', { class: 'list-words' }, explain(error)));
    }
  }

  #show(found, query) {
    if (found.length === 0) {
      this.#results.replaceChildren(el('p', { class: 'list-words' },
        `Nothing here contains “${query}”.`));
      return;
    }
    const count = found.length === 1 ? '1 message' : `${found.length}${found.length === 100 ? '+' : ''} messages`;
    this.#results.replaceChildren(
      el('p', { class: 'finder-count' }, count),
      el('ul', { class: 'rows' }, ...found.map((message) => this.#row(message, query))));
  }

  #row(message, query) {
    const { store } = this.#session;
    const who = message.user_id === store.me.id ? 'You'
      : store.nameOf(this.#chatId, message.user_id);
    return el('li', {}, el('button', {
      type: 'button', class: 'row found', 'data-seq': message.seq,
      onclick: () => this.#messages.show(message.seq).catch(say),
    },
    el('span', { class: 'row-line' }, el('span', { class: 'row-name' }, who),
      el('time', { datetime: message.time }, dayAndClock(message.time))),
    el('span', { class: 'row-sub' }, ...this.#marked(message.content, query))));
  }

  /* A part of the text around the match, which is marked. */
  #marked(content, query) {
    const at = content.toLowerCase().indexOf(query.toLowerCase());
    if (at < 0) {
      return [content];
    }
    const from = Math.max(0, at - BEFORE);
    return [
      (from > 0 ? '…' : '') + content.slice(from, at),
      el('mark', {}, content.slice(at, at + query.length)),
      content.slice(at + query.length),
    ];
  }
}
