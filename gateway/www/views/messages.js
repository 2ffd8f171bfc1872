/*
 * The messages of the open chat: a list of bounded length that follows the reader.
 * Rows stay where the reader sees them when others come or go above; at the end
 * the list follows what is new.
 *
 * SPDX-License-Identifier: MIT
 */
import { $, el, keyed } from './dom.js';
import { icon } from './icons.js';
import { makeMessage, updateMessage } from './message.js';
import { say } from './toast.js';
import { dayKey, dayName } from './time.js';

const NEAR_PX = 900; // so close to either side, more is loaded
const END_PX = 40; // so close to the end, the reader is at it
const RUN_MS = 5 * 60_000; // one sender's messages within this stand together

export class Messages {
  #session;
  #shown = null; // the chat that stands there
  #placed = false; // it was scrolled to where reading begins
  #flash = null; // seq of a message to point out

  constructor(session) {
    this.#session = session;
    $('to-end').replaceChildren(icon('down', 22), el('span', { class: 'badge', hidden: true }));
    $('scroller').onscroll = () => this.#onScroll();
    $('to-end').onclick = () => session.jumpToEnd().catch(say);
    new ResizeObserver(() => this.#stay()).observe($('scroller'));
  }

  draw() {
    const { store } = this.#session;
    const timeline = store.openTimeline;
    if (!timeline) {
      this.#shown = null;
      $('messages').replaceChildren();
      return;
    }
    if (this.#shown !== store.openId) {
      this.#shown = store.openId;
      this.#placed = false;
      $('messages').replaceChildren();
    }
    const anchor = this.#anchor();
    this.#rows(timeline);
    $('older').hidden = timeline.loaded && !timeline.hasOlder;
    this.#restore(anchor);
    this.#edges(timeline);
  }

  /* Shows a message found by search. */
  async show(seq) {
    await this.#session.jumpTo(seq);
    this.#session.store.following = false;
    this.#flash = seq;
    this.draw();
  }

  /* ---- rows ---- */

  #rows(timeline) {
    const session = this.#session;
    const inGroup = session.store.open?.type === 'group';
    keyed($('messages'), this.#items(timeline), {
      key: (item) => item.key,
      sig: (item) => item.sig,
      make: (item) => {
        switch (item.kind) {
          case 'day': return el('li', { class: 'day' }, el('span', {}, item.text));
          case 'new': return el('li', { class: 'new-line' }, el('span', {}, 'New messages'));
          default: return makeMessage(session, item, inGroup);
        }
      },
      update: (li, item) => item.kind === 'message' && updateMessage(session, li, item),
    });
  }

  #items(timeline) {
    const { store, client } = this.#session;
    const items = [];
    const messages = [...timeline.messages];
    const all = messages.map((m) => ({ ...m, key: m.front_msg_id ?? m.id }));
    if (timeline.atEnd) {
      client.outbox.pending(store.openId).forEach((entry) => all.push({
        ...entry, type: 'outgoing', user_id: store.me.id, pending: true, key: entry.front_msg_id,
      }));
    }
    let before = null;
    for (const item of all) {
      const newDay = !before || dayKey(before.time) !== dayKey(item.time);
      const divides = store.divider?.chatId === store.openId && item.seq === store.divider.seq;
      if (newDay) {
        const text = dayName(item.time);
        items.push({ kind: 'day', key: `day-${dayKey(item.time)}`, sig: text, text });
      }
      if (divides) {
        items.push({ kind: 'new', key: 'new', sig: 'new' });
      }
      item.kind = 'message';
      item.startsRun = newDay || divides || before.user_id !== item.user_id ||
        new Date(item.time) - new Date(before.time) > RUN_MS;
      item.endsRun = true;
      if (before && !item.startsRun) {
        before.endsRun = false;
      }
      item.sig = item.format === 'text' ? `${item.content}|${item.sender_name ?? ''}`
        : `${Boolean(item.pending)}|${item.content}|${item.sender_name ?? ''}`;
      if (item.type === 'outgoing' && item.format === 'text') {
        item.sig = item.content;
      }
      items.push(item);
      before = item;
    }
    return items;
  }

  /* ---- where the reader is ---- */

  /* The first row in view, and where it stands. */
  #anchor() {
    const scroller = $('scroller');
    const top = scroller.getBoundingClientRect().top;
    const row = [...$('messages').children].find((li) => li.classList.contains('message') &&
      li.getBoundingClientRect().bottom > top);
    return row ? { key: row.itemKey, y: row.getBoundingClientRect().top } : null;
  }

  #restore(anchor) {
    const { store } = this.#session;
    const scroller = $('scroller');
    if (this.#flash !== null) {
      this.#pointOut();
    } else if (!this.#placed) {
      this.#place();
    } else if (store.following) {
      scroller.scrollTop = scroller.scrollHeight;
    } else if (anchor) {
      const row = [...$('messages').children].find((li) => li.itemKey === anchor.key);
      if (row) {
        scroller.scrollTop += row.getBoundingClientRect().top - anchor.y;
      }
    }
  }

  /* A chat that was just opened: at its end, or where what is new begins. */
  #place() {
    const scroller = $('scroller');
    const line = $('messages').querySelector('.new-line');
    scroller.scrollTop = scroller.scrollHeight;
    if (line) {
      const y = line.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
      if (y < 0) {
        scroller.scrollTop += y - scroller.clientHeight / 4;
      }
    }
    this.#placed = this.#session.store.openTimeline.loaded;
    this.#session.store.following = this.#atEnd();
  }

  #pointOut() {
    const row = $('messages').querySelector(`[data-seq="${this.#flash}"]`);
    this.#flash = null;
    this.#placed = true;
    if (row) {
      row.scrollIntoView({ block: 'center' });
      row.classList.add('found');
      setTimeout(() => row.classList.remove('found'), 2500);
    }
  }

  #atEnd() {
    const scroller = $('scroller');
    const timeline = this.#session.store.openTimeline;
    return (timeline?.atEnd ?? true) &&
      scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < END_PX;
  }

  /* The keyboard of a phone, or a longer draft, takes room. */
  #stay() {
    if (this.#shown && this.#session.store.following) {
      $('scroller').scrollTop = $('scroller').scrollHeight;
    }
  }

  #onScroll() {
    const { store } = this.#session;
    if (!this.#placed || !store.openTimeline) {
      return;
    }
    const following = this.#atEnd();
    if (following !== store.following) {
      store.following = following;
      this.#session.read();
    }
    this.#edges(store.openTimeline);
  }

  #edges(timeline) {
    const scroller = $('scroller');
    const { store } = this.#session;
    if (this.#placed && scroller.scrollTop < NEAR_PX) {
      this.#session.loadOlder();
    }
    if (this.#placed && scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_PX) {
      this.#session.loadNewer();
    }
    $('to-end').hidden = store.following || !timeline.loaded;
    const unread = store.open?.unread_messages ?? 0;
    const badge = $('to-end').querySelector('.badge');
    badge.hidden = unread === 0;
    badge.textContent = unread > 99 ? '99+' : String(unread);
    $('to-end').setAttribute('aria-label', unread > 0
      ? `To the newest message, ${unread} unread` : 'To the newest message');
  }
}
