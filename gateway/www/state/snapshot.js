/*
 * The list of chats as it was last seen, for the first paint: the page shows it
 * at once, and the server's answer replaces it. Gone with the logout.
 *
 * SPDX-License-Identifier: MIT
 */

const KEY = 'parley.snapshot';
const CHATS_MAX = 100;
const DELAY_MS = 1000;

let timer = null;

export const snapshot = {
  load() {
    try {
      const seen = JSON.parse(localStorage.getItem(KEY));
      return seen?.user?.id && Array.isArray(seen.chats) ? seen : null;
    } catch {
      return null;
    }
  },

  /* Soon, and once for many changes. */
  save(store) {
    timer ??= setTimeout(() => this.saveNow(store), DELAY_MS);
  },

  saveNow(store) {
    clearTimeout(timer);
    timer = null;
    try {
      localStorage.setItem(KEY, JSON.stringify({
        user: store.me,
        chats: store.chatList().slice(0, CHATS_MAX),
      }));
    } catch {
      // The storage is full: the next first paint will be emptier.
    }
  },

  clear() {
    clearTimeout(timer);
    timer = null;
    localStorage.removeItem(KEY);
  },
};
