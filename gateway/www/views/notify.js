/*
 * Telling someone who looks elsewhere: desktop notifications, the count in the
 * window's title; and a word for screen readers of what comes into the open chat.
 *
 * SPDX-License-Identifier: MIT
 */
import { prefs } from '../state/prefs.js';
import { $ } from './dom.js';
import { preview } from './text.js';

export const notifications = {
  get possible() {
    return 'Notification' in window && window.isSecureContext;
  },

  get on() {
    return this.possible && prefs.notify && Notification.permission === 'granted';
  },

  /* Asks the browser's permission where needed; gives what it is now. */
  async turn(on) {
    prefs.notify = on;
    if (on && this.possible && Notification.permission !== 'granted') {
      await Notification.requestPermission();
    }
    prefs.notify = on && Notification.permission === 'granted';
    return this.on;
  },

  words() {
    if (!this.possible) {
      return 'This browser allows them over https only.';
    }
    return Notification.permission === 'denied' ? 'Blocked in the browser’s settings of this page.'
      : 'When a message comes and you look elsewhere.';
  },
};

export function announce(text) {
  $('announce').textContent = text;
}

function show(session, chat, message) {
  const title = chat.type === 'group' ? `${message.sender_name} in ${chat.name}` : chat.name;
  const note = new Notification(title, { body: preview(message), tag: chat.id, icon: '/icon.svg' });
  note.onclick = () => {
    window.focus();
    session.openChat(chat.id);
    note.close();
  };
}

export function watchForNews(session) {
  const { store } = session;
  session.client.on('new_message', ({ message }) => {
    const chat = store.chats.get(message.chat_id);
    if (!chat || message.type !== 'incoming') {
      return;
    }
    if (chat.id === store.openId && store.attentive()) {
      announce(`${message.sender_name}: ${preview(message)}`);
    } else if (notifications.on) {
      show(session, chat, message);
    }
  });
}

export function drawTitle(store) {
  const unread = store.me ? store.unread() : 0;
  document.title = unread > 0 ? `(${unread > 99 ? '99+' : unread}) Parley` : 'Parley';
}
