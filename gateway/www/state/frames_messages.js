/*
 * Frames about messages: new ones, pages of old ones, what became of own ones,
 * and who is typing.
 *
 * SPDX-License-Identifier: MIT
 */
import { raise } from './timeline.js';

const TYPING_MS = 6_000; // heard for so long, unless it is said again

function noteNewest(store, item, message) {
  const newest = item.last_message;
  if (newest && newest.id === message.id) {
    raise(newest, message.state);
    return false;
  }
  if (newest && newest.time > message.time) {
    return false; // one that was delayed
  }
  item.last_message = { ...message };
  return true;
}

function isRead(store, message) {
  return message.chat_id === store.openId && store.following && store.attentive();
}

/* Another member has read the chat. Only what had reached them can have been
 * read: a message that was sent just now, and crosses this frame, was not. */
function readByOne(store, chatId) {
  const timeline = store.timelines.get(chatId);
  timeline?.messages.filter((m) => m.type === 'outgoing' && m.state === 'delivered')
    .forEach((m) => raise(m, 'read'));
  timeline?.raiseEarlier();
  const newest = store.chats.get(chatId).last_message;
  if (newest?.type === 'outgoing' && newest.state === 'delivered') {
    raise(newest, 'read');
  }
}

export const messageFrames = {
  new_message(store, { message }) {
    const item = store.chats.get(message.chat_id);
    if (!item) {
      return;
    }
    const timeline = store.timelines.get(message.chat_id);
    const known = timeline?.find(message.seq);
    timeline?.place(message, message.chat_id !== store.openId || store.following);
    if (noteNewest(store, item, message)) {
      store.toTop(item);
    }
    if (message.type === 'incoming') {
      store.typing.get(message.chat_id)?.delete(message.user_id);
      if (!known) {
        item.unread_messages += 1;
      }
      if (message.chat_id === store.openId && !isRead(store, message) &&
          store.divider?.chatId !== message.chat_id) {
        store.divider = { chatId: message.chat_id, seq: message.seq };
      }
    }
    store.touch('chats', 'messages', 'typing');
  },

  chat_messages(store, page) {
    const timeline = store.timelines.get(page.chat_id);
    const item = store.chats.get(page.chat_id);
    if (!timeline?.loaded || page.messages.length === 0) {
      return;
    }
    if (timeline.contradicts(page.messages)) {
      store.forget(page.chat_id);
      return;
    }
    timeline.confirm(page.messages);
    const older = page.messages[0].seq < timeline.first;
    const keep = older && !(store.following && page.chat_id === store.openId) ? 'old' : 'new';
    timeline.merge(page.messages, keep);
    timeline.raiseEarlier();
    if (item) {
      noteNewest(store, item, page.messages.at(-1));
    }
    store.touch('messages', 'chats');
  },

  messages_delivered(store, { message_ids: ids }) {
    for (const timeline of store.timelines.values()) {
      if (timeline.raiseAll(ids, 'delivered')) {
        timeline.raiseEarlier();
      }
    }
    for (const { last_message: newest } of store.chats.values()) {
      if (newest && ids.includes(newest.id)) {
        raise(newest, 'delivered');
      }
    }
    store.touch('messages', 'chats');
  },

  /* In a group a message is read when all have read it; the session asks. */
  chat_read(store, frame) {
    if (store.chats.get(frame.chat_id)?.type === 'private') {
      readByOne(store, frame.chat_id);
      store.touch('messages', 'chats');
    }
  },

  typing(store, frame) {
    if (!store.typing.has(frame.chat_id)) {
      store.typing.set(frame.chat_id, new Map());
    }
    const people = store.typing.get(frame.chat_id);
    if (frame.is_typing) {
      people.set(frame.user_id, Date.now() + TYPING_MS);
      setTimeout(() => store.touch('typing'), TYPING_MS + 50);
    } else {
      people.delete(frame.user_id);
    }
    store.touch('typing');
  },
};
