/*
 * What this user sees: chats, the open chat's messages, who is online. Frames
 * of the contract go in; the views read. Nothing here touches the page.
 *
 * SPDX-License-Identifier: MIT
 */

const STATES = ['sending', 'sent', 'delivered', 'read'];

export class State {
  me = null;
  chats = new Map(); // id -> chat_item
  openId = null;
  open = null;       // chat_info's chat, without its messages
  messages = [];     // of the open chat, in order of seq

  takeUserInfo(frame) {
    this.me = frame.user;
    this.chats = new Map(frame.last_chats.map((chat) => [chat.id, chat]));
    if (this.openId && !this.chats.has(this.openId)) {
      this.closeChat();
    }
  }

  takeChatInfo(chat) {
    this.openId = chat.id;
    this.open = chat;
    this.messages = [...chat.messages];
    const item = this.chats.get(chat.id);
    if (item) {
      item.status = chat.status;
    }
  }

  closeChat() {
    this.openId = null;
    this.open = null;
    this.messages = [];
  }

  addChat(item) {
    if (!this.chats.has(item.id)) {
      this.chats.set(item.id, item);
    }
  }

  dropChat(id) {
    this.chats.delete(id);
    if (this.openId === id) {
      this.closeChat();
    }
  }

  /* Returns false when the chat is unknown. */
  takeMessage(message) {
    const item = this.chats.get(message.chat_id);
    if (!item) {
      return false;
    }
    const newer = !item.last_message || !item.last_message.seq ||
      message.seq > item.last_message.seq;
    if (newer) {
      if (message.type === 'incoming' && message.chat_id !== this.openId) {
        item.unread_messages += 1;
      }
      item.last_message = message;
      this.chats.delete(item.id);
      this.chats = new Map([[item.id, item], ...this.chats]);
    }
    if (message.chat_id === this.openId) {
      this.#place(message);
    }
    return true;
  }

  #place(message) {
    const at = this.messages.findIndex((m) => m.id === message.id);
    if (at >= 0) {
      this.#raise(this.messages[at], message.state);
      return;
    }
    let i = this.messages.length;
    while (i > 0 && this.messages[i - 1].seq > message.seq) {
      i -= 1;
    }
    this.messages.splice(i, 0, message);
  }

  /* A state never goes backwards. */
  #raise(message, state) {
    if (STATES.indexOf(state) > STATES.indexOf(message.state)) {
      message.state = state;
    }
  }

  takeDelivered(ids) {
    const set = new Set(ids);
    for (const m of this.messages) {
      if (set.has(m.id)) {
        this.#raise(m, 'delivered');
      }
    }
    for (const chat of this.chats.values()) {
      if (chat.last_message && set.has(chat.last_message.id)) {
        this.#raise(chat.last_message, 'delivered');
      }
    }
  }

  /* With one other member his reading is everybody's. */
  takeRead(chatId) {
    const item = this.chats.get(chatId);
    if (!item || item.type !== 'private') {
      return;
    }
    if (item.last_message?.type === 'outgoing') {
      this.#raise(item.last_message, 'read');
    }
    if (chatId === this.openId) {
      this.messages.filter((m) => m.type === 'outgoing')
        .forEach((m) => this.#raise(m, 'read'));
    }
  }

  takeUnread(chatId, count) {
    const item = this.chats.get(chatId);
    if (item) {
      item.unread_messages = count;
    }
  }

  takeStatus(userId, online, lastSeen) {
    const status = online ? 'Online' : 'Offline';
    for (const chat of this.chats.values()) {
      if (chat.other_user_id === userId) {
        chat.status = status;
      }
    }
    for (const member of this.open?.members ?? []) {
      if (member.user_id === userId) {
        member.status = status;
        member.last_seen_at = lastSeen;
      }
    }
  }
}
