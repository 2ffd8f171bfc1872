/*
 * Pictures of people and groups. Who has none gets initials on a colour of their
 * own, the same everywhere.
 *
 * SPDX-License-Identifier: MIT
 */
import { el } from './dom.js';

const COLOURS = 8; // .tone-0 ... in css/avatar.css
const NO_PICTURE = '/default-avatar.svg';

export function toneOf(id) {
  let sum = 0;
  for (const c of id ?? '') {
    sum = (sum * 31 + c.codePointAt(0)) >>> 0;
  }
  return sum % COLOURS;
}

function initialsOf(name) {
  const words = (name ?? '').trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0]).join('').toUpperCase() || '?';
}

function initials(name, id) {
  return el('span', { class: `initials tone-${toneOf(id)}`, 'aria-hidden': 'true' },
    initialsOf(name));
}

/* status: "Online", "Offline", or null where there is none to show. */
export function avatar({ url, name, id }, { size = 'm', status = null } = {}) {
  const box = el('span', { class: `avatar avatar-${size}` });
  if (!url || url.endsWith(NO_PICTURE)) {
    box.append(initials(name, id));
  } else {
    const picture = el('img', { src: url, alt: '', loading: 'lazy', decoding: 'async' });
    picture.addEventListener('error', () => picture.replaceWith(initials(name, id)));
    box.append(picture);
  }
  if (status === 'Online') {
    box.append(el('span', { class: 'dot', role: 'img', 'aria-label': 'online' }));
  }
  return box;
}
