/*
 * Dialogs, on the browser's own <dialog>: it keeps the focus inside, closes by
 * Escape and gives the focus back.
 *
 * SPDX-License-Identifier: MIT
 */
import { el } from './dom.js';
import { icon } from './icons.js';

const open = [];

/* build(close) gives the content; refresh, if given, is called when the store
 * changes while the dialog stands. Returns {close}. */
export function dialog(title, build, { kind = 'sheet', refresh = null, onclose = null } = {}) {
  const close = () => box.close();
  const heading = el('h2', { id: `dialog-${open.length}` }, title);
  const box = el('dialog', { class: kind, 'aria-labelledby': heading.id },
    el('header', { class: 'dialog-head' }, heading,
      el('button', { type: 'button', class: 'plain', 'aria-label': 'Close', onclick: close },
        icon('close'))));
  const body = el('div', { class: 'dialog-body' });
  box.append(body);
  body.append(...[build(close)].flat());
  const entry = { box, refresh };
  box.addEventListener('close', () => {
    open.splice(open.indexOf(entry), 1);
    box.remove();
    onclose?.();
  });
  box.addEventListener('pointerdown', (event) => {
    if (event.target === box) {
      close();
    }
  });
  document.body.append(box);
  open.push(entry);
  box.showModal();
  return { close, body };
}

export function refreshDialogs() {
  [...open].forEach((entry) => entry.refresh?.());
}

export function closeDialogs() {
  [...open].forEach((entry) => entry.box.close());
}

export const anyDialog = () => open.length > 0;

/* Resolves to whether it was confirmed. */
export function confirm(title, text, label) {
  return new Promise((resolve) => {
    let yes = false;
    dialog(title, (close) => [
      el('p', {}, text),
      el('div', { class: 'buttons' },
        el('button', { type: 'button', onclick: close }, 'Cancel'),
        el('button', {
          type: 'button',
          class: 'danger',
          onclick: () => {
            yes = true;
            close();
          },
        }, label)),
    ], { kind: 'question', onclose: () => resolve(yes) });
  });
}
