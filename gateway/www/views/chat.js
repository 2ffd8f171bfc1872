/*
 * The open chat's frame: whose it is, who is there or typing; and what stands here
 * while no chat is open.
 *
 * SPDX-License-Identifier: MIT
 */
import { avatar } from './avatar.js';
import { $, el } from './dom.js';
import { groupSheet } from './group.js';
import { icon } from './icons.js';
import { newGroup } from './new_group.js';
import { personSheet } from './person.js';
import { lastSeen } from './time.js';

export class ChatView {
  #session;
  #welcome = null;

  constructor(session) {
    this.#session = session;
    $('back').replaceChildren(icon('back', 22));
    $('back').onclick = () => {
      session.closeChat();
      $('search').focus({ preventScroll: true });
    };
    $('chat-info').onclick = () => this.showInfo();
  }

  showInfo() {
    const { open } = this.#session.store;
    if (open?.type === 'group') {
      groupSheet(this.#session, open.id);
    } else if (open?.other_user_id && open.other_user_id !== this.#session.store.me.id) {
      personSheet(this.#session, open.other_user_id);
    }
  }

  draw() {
    const { store } = this.#session;
    const { open } = store;
    $('app').classList.toggle('in-chat', Boolean(open));
    $('chat-open').hidden = !open;
    $('no-chat').hidden = Boolean(open);
    if (!open) {
      this.#drawWelcome();
      return;
    }
    const notes = this.#isNotes(open);
    const name = notes ? 'Notes to yourself' : open.name;
    $('chat-name').textContent = name;
    $('chat-info').setAttribute('aria-label', open.type === 'group'
      ? `${name}: members and settings` : name);
    $('chat-avatar').replaceChildren(avatar(
      { url: open.avatar_url, name: open.name, id: open.other_user_id ?? open.id },
      { status: notes ? null : open.status }));
    this.drawStatus();
  }

  drawStatus() {
    const { open } = this.#session.store;
    if (open) {
      const typing = this.#typing(open);
      // Without a line nobody knows who is there.
      $('chat-status').textContent = typing ||
        (this.#session.client.online ? this.#status(open) : 'connecting…');
      $('chat-status').classList.toggle('accent', Boolean(typing));
      $('typing').textContent = typing;
    }
  }

  #isNotes(chat) {
    return chat.other_user_id === this.#session.store.me.id;
  }

  #typing(chat) {
    const { store } = this.#session;
    const names = store.typingIn(chat.id).map((userId) => store.nameOf(chat.id, userId));
    if (names.length === 0) {
      return '';
    }
    if (chat.type === 'private') {
      return 'typing…';
    }
    return names.length === 1 ? `${names[0]} is typing…`
      : names.length === 2 ? `${names[0]} and ${names[1]} are typing…`
        : `${names.length} people are typing…`;
  }

  #status(chat) {
    const { store } = this.#session;
    if (this.#isNotes(chat)) {
      return 'Only you see these';
    }
    if (chat.type === 'private') {
      return chat.status === 'Online' ? 'online'
        : lastSeen(store.online.get(chat.other_user_id)?.last_seen_at);
    }
    const members = store.details.get(chat.id)?.members;
    if (!members) {
      return 'group';
    }
    const online = members.filter((m) => m.user_id === store.me.id || store.isOnline(m.user_id));
    return `${members.length} ${members.length === 1 ? 'member' : 'members'}, ${online.length} online`;
  }

  #drawWelcome() {
    const { store } = this.#session;
    const fresh = store.known && store.chats.size === 0;
    const words = fresh ? `Welcome, ${store.me.name}` : 'Choose a chat';
    if (this.#welcome === words) {
      return;
    }
    this.#welcome = words;
    $('no-chat').replaceChildren(el('div', { class: 'welcome' },
      el('span', { class: 'welcome-mark' }, icon('chat', 44)),
      el('h2', {}, words),
      el('p', {}, fresh
        ? 'Find a friend by name or username and write the first message.'
        : 'Pick one at the side, or begin a new one.'),
      el('div', { class: 'buttons' },
        el('button', { type: 'button', class: 'primary', onclick: () => $('search').focus() },
          icon('search', 18), 'Find people'),
        el('button', { type: 'button', onclick: () => newGroup(this.#session) },
          icon('newGroup', 18), 'New group'))));
  }
}
