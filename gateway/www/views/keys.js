/*
 * Keys that work everywhere on the page; the profile lists them.
 *
 * SPDX-License-Identifier: MIT
 */
import { anyDialog } from './dialog.js';
import { $ } from './dom.js';

function nextChat(session, step) {
  const ids = [...session.store.chats.keys()];
  const at = ids.indexOf(session.store.openId);
  const id = ids[at < 0 ? 0 : Math.min(Math.max(at + step, 0), ids.length - 1)];
  if (id && id !== session.store.openId) {
    session.openChat(id);
  }
}

export function listenToKeys(session, { finder }) {
  document.addEventListener('keydown', (event) => {
    const command = event.ctrlKey || event.metaKey;
    if (anyDialog()) {
      return;
    }
    if (command && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      $('search').focus();
      $('search').select();
    } else if (command && event.key.toLowerCase() === 'f' && session.store.openId) {
      event.preventDefault();
      finder.open();
    } else if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      event.preventDefault();
      nextChat(session, event.key === 'ArrowDown' ? 1 : -1);
    } else if (event.key === 'Escape' && finder.isOpen) {
      finder.close();
    } else if (event.key === 'Escape' && session.store.openId && !event.defaultPrevented) {
      session.closeChat();
    }
  });
}
