/*
 * Frames about whole chats: the first one of a session, an opened chat, a chat
 * that begins or is gone, a chat read on another device.
 *
 * SPDX-License-Identifier: MIT
 */
import { raise } from './timeline.js';

/* The first of `count` unread messages, as far as they are here; null if not. */
export function firstUnread(messages, count) {
  let left = count;
  for (let i = messages.length - 1; i >= 0 && left > 0; i -= 1) {
    if (messages[i].type === 'incoming') {
      left -= 1;
      if (left === 0) {
        return messages[i].seq;
      }
    }
  }
  return count > 0 && messages.length > 0 ? messages[0].seq : null;
}

function takeMessages(timeline, chat) {
  if (timeline.loaded && !timeline.atEnd) {
    return; // someone reads far back: the end is loaded when it is scrolled to
  }
  if (timeline.contradicts(chat.messages)) {
    timeline.reset(chat.messages, chat.last_seq);
  } else if (!timeline.loaded || !timeline.merge(chat.messages)) {
    const newer = timeline.messages.filter((m) => m.seq > chat.last_seq);
    timeline.reset(chat.messages, chat.last_seq);
    newer.forEach((message) => timeline.place(message, true));
  }
}

function takeChat(store, chat) {
  const timeline = store.timeline(chat.id);
  takeMessages(timeline, chat);
  timeline.end = Math.max(timeline.end, chat.last_seq);
  if (!chat.has_more) {
    timeline.noteBegin(chat.messages, chat.last_seq + 1);
  }
  timeline.raiseEarlier();
  const { messages, ...details } = chat;
  store.details.set(chat.id, details);
  store.noteMembers(chat.members);
  if (chat.unread_messages > 0 && store.divider?.chatId !== chat.id) {
    const seq = firstUnread(timeline.messages, chat.unread_messages);
    store.divider = seq === null ? null : { chatId: chat.id, seq };
  }
  const item = store.chats.get(chat.id);
  if (item) {
    item.name = chat.name;
    item.avatar_url = chat.avatar_url;
    item.status = chat.status;
    item.unread_messages = chat.unread_messages;
    store.noteStatus(item);
  }
  store.touch('chats', 'open', 'messages');
}

function chatCreated(store, frame) {
  if (!store.chats.has(frame.chat_item.id)) {
    store.addChat(frame.chat_item);
  }
  if (frame.chat) {
    takeChat(store, frame.chat);
  }
}

export const chatFrames = {
  user_info(store, frame) {
    const before = store.chats;
    store.me = frame.user;
    store.known = true;
    store.chats = new Map(frame.last_chats.map((chat) => [chat.id, chat]));
    for (const chat of store.chats.values()) {
      store.noteStatus(chat);
      const old = before.get(chat.id)?.last_message;
      if (old && old.id === chat.last_message?.id) {
        raise(chat.last_message, old.state);
      }
    }
    for (const id of [...store.timelines.keys()]) {
      if (!store.chats.has(id)) {
        store.dropChat(id);
      }
    }
    store.typing.clear();
    store.touch('me', 'chats', 'open');
  },

  chat_info: (store, frame) => takeChat(store, frame.chat),

  chat_forbidden: (store, frame) => store.dropChat(frame.chat_id),

  private_chat_created: chatCreated,

  group_chat_created: chatCreated,

  chat_added: (store, frame) => store.addChat(frame.chat_item),

  unread_changed(store, frame) {
    const item = store.chats.get(frame.chat_id);
    if (item) {
      item.unread_messages = frame.unread_messages;
      store.touch('chats');
    }
  },
};
