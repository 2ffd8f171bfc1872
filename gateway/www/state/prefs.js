/*
 * What a person has chosen for this browser.
 *
 * SPDX-License-Identifier: MIT
 */

const KEYS = { theme: 'parley.theme', notify: 'parley.notify', token: 'parley.token' };

function get(key) {
  return localStorage.getItem(KEYS[key]);
}

function set(key, value) {
  if (value === null) {
    localStorage.removeItem(KEYS[key]);
  } else {
    localStorage.setItem(KEYS[key], value);
  }
}

export const prefs = {
  get token() { return get('token'); },
  set token(value) { set('token', value); },

  /* "light", "dark", or null: as the system has it. first.js reads it too. */
  get theme() { return get('theme'); },
  set theme(value) { set('theme', value); },

  get notify() { return get('notify') === 'on'; },
  set notify(value) { set('notify', value ? 'on' : null); },
};
