/*
 * A signed-in user: joins the protocol client to the store, and says what is asked
 * of the server when. No page in here either.
 *
 * SPDX-License-Identifier: MIT
 */
import { Client } from '../protocol/index.js';
import { Drafts } from './drafts.js';
import { snapshot } from './snapshot.js';
import { Store } from './store.js';
import { PAGE } from './timeline.js';

const MISSED_MAX = 1000; // beyond, a chat begins anew instead of catching up
const HOLE_MS = 1500; // a delayed message gets so long to come by itself
const RECHECK_MS = 400;
const TYPING_EVERY_MS = 3_000;
const ASKED_MAX = 40; // contacts whose presence is asked for at once

export class Session {
  #loading = new Set(); // "chat id:direction" of pages on their way
  #rechecks = new Map(); // chat id -> timer
  #holes = null;
  #reading = false;
  #typingSaid = 0;
  #ended = false;

  constructor(token) {
    this.client = new Client({ token });
    this.store = new Store();
    this.drafts = null;
    const seen = snapshot.load();
    if (seen) {
      this.store.me = seen.user;
      this.store.chats = new Map(seen.chats.map((chat) => [chat.id, chat]));
      this.drafts = new Drafts(seen.user.id);
      this.client.outbox.open(seen.user.id);
    }
    this.client.on('*', ({ name, detail }) => this.#onEvent(name, detail));
    this.store.on('change', () => this.store.known && snapshot.save(this.store));
  }

  start() {
    this.client.start();
  }

  /* The token holds no longer: nothing of this user stays here. */
  end() {
    this.#ended = true;
    this.client.stop();
    clearTimeout(this.#holes);
    this.#rechecks.forEach((timer) => clearTimeout(timer));
    snapshot.clear();
  }

  /* The page goes away: what the next one shows first. */
  keep() {
    if (this.store.known && !this.#ended) {
      snapshot.saveNow(this.store);
    }
  }

  logOut() {
    this.drafts?.clear();
    this.client.logOut();
  }

  /* ---- what comes ---- */

  #onEvent(name, detail) {
    if (detail?.type !== name) {
      return; // no frame
    }
    if (name === 'user_info') {
      this.drafts = new Drafts(detail.user.id);
    }
    this.store.apply(detail);
    this.#after[name]?.(detail);
  }

  #after = {
    user_info: () => this.#catchUp(),
    chat_info: () => this.read(),
    chat_messages: ({ chat_id: chatId }) => {
      this.#renew(chatId);
      this.#seekHole(chatId);
    },
    new_message: ({ message }) => {
      this.read();
      this.#seekHole(message.chat_id);
    },
    chat_read: ({ chat_id: chatId }) => this.#recheck(chatId),
    chat_forbidden: ({ chat_id: chatId }) => this.client.outbox.dropChat(chatId),
    chat_member_removed: (frame) => {
      if (frame.user_id === this.store.me.id) {
        this.client.outbox.dropChat(frame.chat_id);
      }
    },
  };

  /* The line is back: what is shown was perhaps missed in part. The last message
   * that is here is asked for, too: if it is not there any more the server's store
   * was set back to a backup, and the chat is loaded anew. */
  async #catchUp() {
    const { store, client } = this;
    const { openId } = store;
    const mark = (chatId) => ({
      chat_id: chatId,
      last_seq: Math.max(store.timelines.get(chatId).last - 1, 0),
    });
    const marks = [...store.timelines]
      .filter(([, timeline]) => timeline.loaded && timeline.atEnd)
      .map(([chatId]) => mark(chatId));
    const begun = new Map(marks.map((m) => [m.chat_id, m.last_seq]));
    marks.forEach(({ chat_id: chatId }) => store.timelines.get(chatId).doubt());
    try {
      await client.sync(marks, (chatId) => {
        const timeline = store.timelines.get(chatId);
        if (!timeline || timeline.last - begun.get(chatId) > MISSED_MAX) {
          store.timelines.delete(chatId);
          return null;
        }
        return mark(chatId);
      });
      marks.filter(({ chat_id: chatId }) => store.timelines.get(chatId)?.certain === false)
        .forEach(({ chat_id: chatId }) => store.forget(chatId));
      if (openId && store.chats.has(openId) && store.openId === openId) {
        await client.ask('open_chat', { chat_id: openId });
      }
      if (store.contacts) {
        await client.ask('get_contacts');
      }
    } catch (error) {
      console.warn('catching up was broken off:', error.message);
    }
  }

  /* The open chat was found to be another than the one shown. */
  #renew(chatId) {
    if (chatId === this.store.openId && !this.store.openTimeline && this.client.online) {
      this.client.ask('open_chat', { chat_id: chatId }).catch(() => {});
    }
  }

  /* A message that a fault delayed comes by itself, as a rule. */
  #seekHole(chatId) {
    const timeline = this.store.timelines.get(chatId);
    if (!timeline || timeline.firstHole() === null || this.#holes) {
      return;
    }
    this.#holes = setTimeout(() => {
      this.#holes = null;
      const hole = timeline.firstHole();
      if (hole !== null) {
        this.client.ask('get_messages',
          { chat_id: chatId, before_seq: hole + 1 + PAGE, limit: PAGE }).catch(() => {});
      }
    }, HOLE_MS);
  }

  /* Who has read what is only certain from the server: for groups always, for
   * private chats where a receipt was overtaken. Asked once for many events. */
  #recheck(chatId) {
    const item = this.store.chats.get(chatId);
    const newest = item?.last_message;
    if (!item || newest?.type !== 'outgoing' && chatId !== this.store.openId ||
        (item.type === 'private' && newest?.state === 'read') || this.#rechecks.has(chatId)) {
      return;
    }
    this.#rechecks.set(chatId, setTimeout(() => {
      this.#rechecks.delete(chatId);
      this.client.ask('get_messages', { chat_id: chatId, limit: 50 })
        .then((page) => this.#takeStates(page), () => {});
    }, RECHECK_MS));
  }

  /* The newest page of a chat whose messages are not in memory. */
  #takeStates(page) {
    const newest = this.store.chats.get(page.chat_id)?.last_message;
    const same = page.messages.find((m) => m.id === newest?.id);
    if (same) {
      newest.state = same.state;
      this.store.touch('chats');
    }
  }

  /* ---- what is asked ---- */

  openChat(chatId) {
    this.store.select(chatId);
    if (this.client.online) {
      this.client.ask('open_chat', { chat_id: chatId }).catch(() => {});
    }
  }

  closeChat() {
    this.store.select(null);
  }

  /* Tells the server that the open chat is read, if someone looks at its end. */
  read() {
    const { store } = this;
    const item = store.open;
    if (!item || item.unread_messages === 0 || !store.attentive() || !store.following ||
        !store.openTimeline?.loaded || this.#reading || !this.client.online) {
      return;
    }
    this.#reading = true;
    this.client.ask('chat_messages_read', { chat_id: item.id })
      .catch(() => {}).finally(() => {
        this.#reading = false;
      }).then(() => item.unread_messages > 0 && setTimeout(() => this.read(), 1000));
  }

  loadOlder() {
    const timeline = this.store.openTimeline;
    if (timeline?.loaded && timeline.hasOlder) {
      return this.#page('older', { before_seq: timeline.first });
    }
    return null;
  }

  loadNewer() {
    const timeline = this.store.openTimeline;
    if (timeline?.loaded && !timeline.atEnd) {
      return this.#page('newer', { before_seq: timeline.last + 1 + PAGE });
    }
    return null;
  }

  get loadingOlder() {
    return this.#loading.has(`${this.store.openId}:older`);
  }

  async #page(direction, fields) {
    const chatId = this.store.openId;
    const key = `${chatId}:${direction}`;
    if (this.#loading.has(key) || !this.client.online) {
      return;
    }
    this.#loading.add(key);
    try {
      const page = await this.client.ask('get_messages',
        { chat_id: chatId, limit: PAGE, ...fields });
      if (!page.has_more) {
        this.store.timeline(chatId).noteBegin(page.messages, fields.before_seq);
        this.store.touch('messages');
      }
    } catch {
      // Scrolling on asks again.
    } finally {
      this.#loading.delete(key);
    }
  }

  /* Shows the stretch of the open chat around a message. */
  async jumpTo(seq) {
    const chatId = this.store.openId;
    const timeline = this.store.timeline(chatId);
    if (timeline.find(seq)) {
      return true;
    }
    const page = await this.client.ask('get_messages',
      { chat_id: chatId, before_seq: seq + PAGE / 2, limit: PAGE });
    this.store.following = false;
    timeline.reset(page.messages, timeline.end);
    this.store.touch('messages');
    return timeline.find(seq) !== undefined;
  }

  /* To the end of the open chat. */
  async jumpToEnd() {
    const chatId = this.store.openId;
    const timeline = this.store.openTimeline;
    this.store.following = true;
    if (timeline && !timeline.atEnd) {
      const page = await this.client.ask('get_messages', { chat_id: chatId, limit: PAGE });
      timeline.reset(page.messages, timeline.end);
    }
    this.store.touch('messages');
    this.read();
  }

  /* A list of contacts does not tell who is online: those of whom nothing is
   * known yet are asked for one by one, as many as one sees. */
  async loadContacts() {
    const { store, client } = this;
    await client.ask('get_contacts');
    const unknown = [...store.contacts.keys()].filter((id) => !store.online.has(id));
    for (const id of unknown.slice(0, ASKED_MAX)) {
      const { person_info: person } = await client.ask('get_person_info', { person_id: id });
      if (person) {
        store.online.set(id, {
          is_online: person.status === 'Online',
          last_seen_at: person.last_seen_at,
        });
        store.touch('people');
      }
    }
  }

  /* Returns the chat's id. */
  async chatWith(userId) {
    const { chat_item: item } = await this.client.ask('create_private_chat', { user_id: userId });
    this.openChat(item.id);
    return item.id;
  }

  sendText(text) {
    this.#typingSaid = 0;
    this.store.following = true;
    this.store.divider = null;
    return this.client.outbox.sendText(this.store.openId, text);
  }

  sendFile(file) {
    this.store.following = true;
    this.store.divider = null;
    return this.client.outbox.sendFile(this.store.openId, file);
  }

  /* Tells the others now and then, not with every key. */
  sayTyping(isTyping) {
    const now = Date.now();
    if (!this.store.openId || (isTyping && now - this.#typingSaid < TYPING_EVERY_MS) ||
        (!isTyping && this.#typingSaid === 0)) {
      return;
    }
    this.#typingSaid = isTyping ? now : 0;
    this.client.tell('typing', { chat_id: this.store.openId, is_typing: isTyping });
  }
}
