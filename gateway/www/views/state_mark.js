/*
 * How far an own message has come: a clock, one check, two, two in colour.
 *
 * SPDX-License-Identifier: MIT
 */
import { el } from './dom.js';
import { icon } from './icons.js';

const ICONS = {
  sending: 'clock', sent: 'check', delivered: 'checks', read: 'checks', failed: 'alert',
};
const WORDS = {
  sending: 'Sending', sent: 'Sent', delivered: 'Delivered', read: 'Read', failed: 'Not sent',
};

export function stateMark(state) {
  return el('span', { class: `state state-${state}`, title: WORDS[state] },
    icon(ICONS[state], 16), el('span', { class: 'sr-only' }, WORDS[state]));
}
