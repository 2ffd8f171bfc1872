/*
 * All that this user sees, and the one place where it changes: frames of the
 * contract go in by apply(), views read, and touch() tells them which part
 * changed. Nothing here knows the page or the network.
 *
 *   parts: me, chats, open, messages, people, typing
 *
 * SPDX-License-Identifier: MIT
 */
import { Emitter } from '../protocol/emitter.js';
import { chatFrames } from './frames_chats.js';
import { groupFrames } from './frames_groups.js';
import { messageFrames } from './frames_messages.js';
import { peopleFrames } from './frames_people.js';
import { Timeline } from './timeline.js';

const HANDLERS = { ...chatFrames, ...groupFrames, ...messageFrames, ...peopleFrames };

/* Chats whose messages stay in memory when another one is opened. */
const TIMELINES_MAX = 8;

export class Store extends Emitter {
  me = null;
  chats = new Map(); // id -> chat_item, newest activity first
  known = false; // chats come from the server, not from the snapshot
  openId = null;
  details = new Map(); // id -> {description, members, ...} of chats opened
  timelines = new Map(); // id -> Timeline, least recently opened first
  contacts = null; // id -> contact; null: not asked yet
  online = new Map(); // user id -> {is_online, last_seen_at}
  typing = new Map(); // chat id -> Map(user id -> until when, ms)
  divider = null; // {chatId, seq}: the first message that was not read
  following = true; // the reader is at the end of the open chat
  attentive = () => true; // is anyone looking? set by the page

  apply(frame) {
    HANDLERS[frame.type]?.(this, frame);
  }

  touch(...parts) {
    parts.forEach((part) => this.emit('change', part));
  }

  /* ---- reading ---- */

  chatList() {
    return [...this.chats.values()];
  }

  get open() {
    return this.chats.get(this.openId) ?? null;
  }

  get openDetails() {
    return this.details.get(this.openId) ?? null;
  }

  get openTimeline() {
    return this.timelines.get(this.openId) ?? null;
  }

  unread() {
    return this.chatList().reduce((sum, chat) => sum + chat.unread_messages, 0);
  }

  isOnline(userId) {
    return this.online.get(userId)?.is_online ?? false;
  }

  /* What this user calls a person: the own nickname, else the name. */
  nameOf(chatId, userId) {
    const member = this.details.get(chatId)?.members.find((m) => m.user_id === userId);
    const contact = this.contacts?.get(userId);
    return contact?.contact_info.nickname ?? member?.nickname ?? member?.name ??
      contact?.name ?? 'Someone';
  }

  typingIn(chatId) {
    const now = Date.now();
    return [...(this.typing.get(chatId) ?? [])]
      .filter(([, until]) => until > now).map(([userId]) => userId);
  }

  isAdmin(chatId) {
    return this.details.get(chatId)?.members
      .some((m) => m.user_id === this.me.id && m.role === 'admin') ?? false;
  }

  /* ---- changing ---- */

  /* A chat's messages; the ones of chats not opened for long are let go. */
  timeline(chatId) {
    const timeline = this.timelines.get(chatId) ?? new Timeline();
    this.timelines.delete(chatId);
    this.timelines.set(chatId, timeline);
    for (const id of this.timelines.keys()) {
      if (this.timelines.size <= TIMELINES_MAX) {
        break;
      }
      if (id !== this.openId) {
        this.timelines.delete(id);
        this.details.delete(id);
      }
    }
    return timeline;
  }

  select(chatId) {
    this.openId = chatId;
    this.divider = null;
    this.following = true;
    if (chatId) {
      this.timeline(chatId);
    }
    this.touch('open', 'messages', 'chats');
  }

  toTop(item) {
    this.chats.delete(item.id);
    this.chats = new Map([[item.id, item], ...this.chats]);
  }

  addChat(item) {
    this.chats.delete(item.id);
    this.toTop(item);
    this.noteStatus(item);
    this.touch('chats', 'open');
  }

  /* The messages of a chat are to be loaded anew. */
  forget(chatId) {
    this.timelines.delete(chatId);
    this.touch('messages');
  }

  dropChat(chatId) {
    this.chats.delete(chatId);
    this.timelines.delete(chatId);
    this.details.delete(chatId);
    this.typing.delete(chatId);
    if (this.openId === chatId) {
      this.select(null);
    }
    this.touch('chats');
  }

  noteStatus(item) {
    if (item.other_user_id) {
      const before = this.online.get(item.other_user_id);
      this.online.set(item.other_user_id, {
        is_online: item.status === 'Online',
        last_seen_at: before?.last_seen_at ?? null,
      });
    }
  }

  /* Replaces members as the server sends them: whole objects. */
  noteMembers(members) {
    for (const member of members) {
      if (member.user_id !== this.me.id) {
        this.online.set(member.user_id, {
          is_online: member.status === 'Online',
          last_seen_at: member.last_seen_at,
        });
      }
    }
  }
}
