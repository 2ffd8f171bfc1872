/*
 * Frames about groups: name, description, picture, members and admins.
 *
 * SPDX-License-Identifier: MIT
 */

function change(store, chatId, fields) {
  Object.assign(store.chats.get(chatId) ?? {}, fields);
  Object.assign(store.details.get(chatId) ?? {}, fields);
  store.touch('chats', 'open');
}

export const groupFrames = {
  group_name_change_result(store, frame) {
    if (frame.status === 'success') {
      change(store, frame.chat_id, { name: frame.new_name });
    }
  },

  group_description_change_result(store, frame) {
    const details = store.details.get(frame.chat_id);
    if (frame.status === 'success' && details) {
      details.description = frame.new_description;
      store.touch('open');
    }
  },

  group_avatar_updated: (store, frame) =>
    change(store, frame.chat_id, { avatar_url: frame.avatar_url }),

  admin_given_to_member(store, frame) {
    const details = store.details.get(frame.chat_id);
    if (details) {
      details.members = details.members.map((member) =>
        (member.user_id === frame.member.user_id ? frame.member : member));
      store.touch('open');
    }
  },

  chat_members_added(store, frame) {
    const details = store.details.get(frame.chat_id);
    if (details) {
      details.members = frame.members;
      store.noteMembers(frame.members);
      store.touch('open');
    }
  },

  chat_member_removed(store, frame) {
    if (frame.user_id === store.me.id) {
      store.dropChat(frame.chat_id);
      return;
    }
    const details = store.details.get(frame.chat_id);
    if (details) {
      details.members = details.members.filter((m) => m.user_id !== frame.user_id);
      store.touch('open');
    }
  },
};
