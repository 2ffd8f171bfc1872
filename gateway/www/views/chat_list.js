/*
 * The rows of the list at the side: chats, contacts, people found.
 *
 * SPDX-License-Identifier: MIT
 */
import { avatar } from './avatar.js';
import { el } from './dom.js';
import { stateMark } from './state_mark.js';
import { preview } from './text.js';
import { fullTime, lastSeen, shortTime } from './time.js';

function typingWords(store, chat) {
  const people = store.typingIn(chat.id);
  if (people.length === 0) {
    return null;
  }
  return chat.type === 'private' ? 'typing…'
    : `${store.nameOf(chat.id, people[0])} is typing…`;
}

/* The second line: who types, a draft, what waits, or the newest message. */
function secondLine(session, chat) {
  const { store, drafts, client } = session;
  const typing = typingWords(store, chat);
  if (typing) {
    return [el('span', { class: 'accent' }, typing)];
  }
  const draft = chat.id === store.openId ? '' : drafts?.get(chat.id);
  if (draft) {
    return [el('span', { class: 'draft' }, 'Draft: '), draft];
  }
  const waiting = client.outbox.pending(chat.id).at(-1);
  if (waiting) {
    return [stateMark(waiting.failed ? 'failed' : 'sending'), preview(waiting)];
  }
  const newest = chat.last_message;
  if (!newest) {
    return [el('span', { class: 'dim' }, chat.type === 'group' ? 'New group' : 'Say hello')];
  }
  if (newest.type === 'outgoing') {
    return [stateMark(newest.state), preview(newest)];
  }
  return chat.type === 'group'
    ? [`${newest.sender_name}: ${preview(newest)}`] : [preview(newest)];
}

function badge(count) {
  return count === 0 ? null : el('span', { class: 'badge' },
    el('span', { 'aria-hidden': 'true' }, count > 99 ? '99+' : String(count)),
    el('span', { class: 'sr-only' }, `${count} unread`));
}

export function chatRow(session, chat, onclick) {
  const own = chat.other_user_id && chat.other_user_id === session.store.me.id;
  const newest = chat.last_message;
  return el('li', {},
    el('button', {
      type: 'button',
      class: `row${chat.unread_messages > 0 ? ' unread' : ''}`,
      'data-chat': chat.id,
      'aria-current': chat.id === session.store.openId ? 'true' : null,
      onclick,
    },
    avatar({ url: chat.avatar_url, name: chat.name, id: chat.other_user_id ?? chat.id },
      { status: own ? null : chat.status }),
    el('span', { class: 'row-body' },
      el('span', { class: 'row-line' },
        el('span', { class: 'row-name' }, own ? 'Notes to yourself' : chat.name),
        newest ? el('time', { datetime: newest.time, title: fullTime(newest.time) },
          shortTime(newest.time)) : null),
      el('span', { class: 'row-line' },
        el('span', { class: 'row-sub' }, ...secondLine(session, chat)),
        badge(chat.unread_messages)))));
}

/* What chatRow shows, as one text: equal, and the row may stay. */
export function chatSig(session, chat) {
  const { store, drafts, client } = session;
  const waiting = client.outbox.pending(chat.id).at(-1);
  const newest = chat.last_message;
  return JSON.stringify([chat.name, chat.avatar_url, chat.status, chat.unread_messages,
    newest && [newest.id, newest.state, newest.sender_name, shortTime(newest.time)],
    chat.id === store.openId || drafts?.get(chat.id), waiting && [waiting.front_msg_id,
      waiting.failed], typingWords(store, chat)]);
}

/* Someone in a list: a contact, or found. side: more elements at the end. */
export function personRow(session, person, onclick, ...side) {
  const { store } = session;
  const own = person.id === store.me.id;
  const name = person.contact_info?.nickname ?? person.name;
  const online = !own && store.isOnline(person.id);
  const seen = store.online.get(person.id)?.last_seen_at ?? person.last_seen_at;
  return el('li', { class: 'person' },
    el('button', { type: 'button', class: 'row', 'data-person': person.id, onclick },
      avatar({ url: person.avatar_url, name, id: person.id },
        { status: online ? 'Online' : null }),
      el('span', { class: 'row-body' },
        el('span', { class: 'row-line' }, el('span', { class: 'row-name' },
          own ? `${name} (you)` : name)),
        el('span', { class: 'row-line' }, el('span', { class: 'row-sub' },
          own ? 'Write notes to yourself'
            : `@${person.username} · ${online ? 'online' : lastSeen(seen)}`)))),
    ...side);
}

export function personSig(session, person) {
  const { store } = session;
  return JSON.stringify([person, store.online.get(person.id)]);
}
