/*
 * A short word on what just happened, and what could be done about it.
 *
 * SPDX-License-Identifier: MIT
 */
import { $, el } from './dom.js';

const SHOWN_MS = 6_000;
let timer = null;

export function toast(text, action = null) {
  const box = $('toast');
  box.replaceChildren(el('span', {}, text));
  if (action) {
    box.append(el('button', {
      type: 'button',
      onclick: () => {
        box.hidden = true;
        action.run();
      },
    }, action.label));
  }
  box.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => {
    box.hidden = true;
  }, SHOWN_MS);
}

/* What a failed request means to a person. */
export function explain(error) {
  switch (error.reason) {
    case 'offline': return 'You are offline. Please try again when the line is back.';
    case 'unavailable': return 'The service is busy. Please try again in a moment.';
    case 'rate_limited': return 'That was too fast. Please wait a moment.';
    case 'unauthorized': return 'Only an admin may do that.';
    case 'not_found': return 'That is no longer there.';
    case 'too_large': return 'That is too much at once.';
    case 'forbidden': return 'You are no longer in this chat.';
    default: return error.message?.startsWith('The ') ? `${error.message}.`
      : 'That did not work. Please try again.';
  }
}

export const say = (error) => toast(explain(error));
