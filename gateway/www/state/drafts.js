/*
 * What was typed and not sent, by chat; it survives reloads.
 *
 * SPDX-License-Identifier: MIT
 */

const PREFIX = 'parley.draft.';

export class Drafts {
  #owner;

  constructor(userId) {
    this.#owner = userId;
  }

  get(chatId) {
    return localStorage.getItem(this.#key(chatId)) ?? '';
  }

  set(chatId, text) {
    if (text.trim() === '') {
      localStorage.removeItem(this.#key(chatId));
      return;
    }
    try {
      localStorage.setItem(this.#key(chatId), text);
    } catch {
      // The storage is full: the draft lives in its field alone.
    }
  }

  clear() {
    Object.keys(localStorage)
      .filter((key) => key.startsWith(`${PREFIX}${this.#owner}.`))
      .forEach((key) => localStorage.removeItem(key));
  }

  #key(chatId) {
    return `${PREFIX}${this.#owner}.${chatId}`;
  }
}
