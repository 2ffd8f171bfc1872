/*
 * Frames about people: the own profile, contacts and their nicknames, who is
 * online.
 *
 * SPDX-License-Identifier: MIT
 */

/* A contact's name as it stands in chats and lists of members. */
function rename(store, userId, nickname) {
  for (const chat of store.chats.values()) {
    const member = store.details.get(chat.id)?.members.find((m) => m.user_id === userId);
    if (member) {
      member.nickname = nickname;
    }
    if (chat.other_user_id === userId) {
      const name = nickname ?? member?.name ?? store.contacts?.get(userId)?.name;
      chat.name = name ?? chat.name;
      const details = store.details.get(chat.id);
      if (details) {
        details.name = chat.name;
      }
    }
    for (const message of store.timelines.get(chat.id)?.messages ?? []) {
      if (message.user_id === userId && member) {
        message.sender_name = nickname ?? member.name;
      }
    }
  }
  store.touch('chats', 'open', 'messages', 'people');
}

export const peopleFrames = {
  contacts(store, frame) {
    store.contacts = new Map(frame.contacts.map((contact) => [contact.id, contact]));
    store.touch('people');
  },

  contact_addition(store, { status, data }) {
    if (status === 'success') {
      store.contacts?.set(data.contact.id, data.contact);
      store.touch('people', 'open');
    }
  },

  contact_deletion(store, { status, data }) {
    if (status === 'success') {
      rename(store, data.user_id, null);
      store.contacts?.delete(data.user_id);
      store.touch('people', 'open');
    }
  },

  nickname_change_result(store, { status, data }) {
    if (status === 'success') {
      const contact = store.contacts?.get(data.contact_id);
      if (contact) {
        contact.contact_info.nickname = data.new_nickname;
      }
      rename(store, data.contact_id, data.new_nickname);
    }
  },

  username_change_result(store, { status, data }) {
    if (status === 'success') {
      store.me.username = data.new_username;
      store.touch('me');
    }
  },

  name_change_result(store, { status, data }) {
    if (status === 'success') {
      store.me.name = data.new_name;
      store.touch('me');
    }
  },

  user_status_changed(store, frame) {
    store.online.set(frame.user_id, {
      is_online: frame.is_online,
      last_seen_at: frame.last_seen_at,
    });
    for (const chat of store.chats.values()) {
      if (chat.other_user_id === frame.user_id) {
        chat.status = frame.is_online ? 'Online' : 'Offline';
      }
    }
    if (!frame.is_online) {
      store.typing.forEach((people) => people.delete(frame.user_id));
    }
    store.touch('chats', 'open', 'people', 'typing');
  },
};
