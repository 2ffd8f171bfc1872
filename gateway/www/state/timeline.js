/*
 * The messages of one chat that are in memory: a stretch of the whole, in the
 * order of `seq`, never more than LIMIT of them however long the chat is.
 *
 *     begin ........ [first ======== last] ............ end
 *     oldest there is     what is here                  newest known
 *
 * Reading back shifts the stretch towards 1, reading on towards the end; a new
 * message joins it only while it reaches the end. A message that a fault delayed
 * leaves a hole, which firstHole() tells of, until it comes.
 *
 * SPDX-License-Identifier: MIT
 */

export const PAGE = 100;
const LIMIT = 200;
const STATES = ['sent', 'delivered', 'read'];

/* A state never goes backwards. Tells whether it changed. */
export function raise(message, state) {
  if (STATES.indexOf(state) > STATES.indexOf(message.state)) {
    message.state = state;
    return true;
  }
  return false;
}

export class Timeline {
  messages = [];
  begin = 1; // no older seq is there: old messages may have been removed
  end = 0; // the newest seq known
  loaded = false;
  #doubted = null; // the id of a message that a page is to confirm

  get first() {
    return this.messages[0]?.seq ?? this.end + 1;
  }

  get last() {
    return this.messages.at(-1)?.seq ?? this.end;
  }

  get hasOlder() {
    return this.first > this.begin;
  }

  /* A page below `seq` was the last one: what it held, or nothing. */
  noteBegin(page, seq) {
    const first = page[0]?.seq ?? seq;
    if (first !== undefined) {
      this.begin = Math.max(this.begin, first);
    }
  }

  get atEnd() {
    return this.last >= this.end;
  }

  find(seq) {
    return this.messages.find((m) => m.seq === seq);
  }

  /* Is the last message still what the server has? confirm() tells of each page
   * whether it is in it; `certain` until asked again, and when it was. */
  doubt() {
    this.#doubted = this.messages.at(-1)?.id ?? null;
  }

  confirm(page) {
    if (page.some((message) => message.id === this.#doubted)) {
      this.#doubted = null;
    }
  }

  get certain() {
    return this.#doubted === null;
  }

  /* Whether a page has another message where one is here: the server's store was
   * set back, to a backup, and has given the number a second time. */
  contradicts(page) {
    return page.some((message) => (this.find(message.seq)?.id ?? message.id) !== message.id);
  }

  /* Begins anew with a page, oldest first. */
  reset(page, end) {
    this.messages = [...page];
    this.end = Math.max(end, page.at(-1)?.seq ?? 0);
    this.loaded = true;
  }

  /* Joins a page to the stretch; false if it does not reach it. When the stretch
   * gets too long it loses its other side: `keep` is 'old' or 'new'. */
  merge(page, keep = 'new') {
    if (page.length === 0) {
      return true;
    }
    this.end = Math.max(this.end, page.at(-1).seq);
    if (this.messages.length === 0) {
      this.messages = [...page];
    } else if (page[0].seq > this.last + 1 || page.at(-1).seq < this.first - 1) {
      return false;
    } else {
      page.forEach((message) => this.#insert(message));
    }
    this.#trim(keep);
    return true;
  }

  /* A live message. `follow`: the reader is at the end, so that the oldest may
   * go; without it the stretch stops growing. */
  place(message, follow) {
    const joined = this.atEnd || message.seq <= this.last;
    this.end = Math.max(this.end, message.seq);
    if (joined && message.seq >= this.first &&
        (follow || this.messages.length < LIMIT || message.seq <= this.last)) {
      this.#insert(message);
      this.#trim(follow ? 'new' : 'old');
    } else if (this.messages.length === 0) {
      this.#insert(message);
    }
  }

  /* The seq before the first hole, or null. */
  firstHole() {
    for (let i = 1; i < this.messages.length; i += 1) {
      if (this.messages[i].seq !== this.messages[i - 1].seq + 1) {
        return this.messages[i - 1].seq;
      }
    }
    return null;
  }

  /* Raises own messages by id. */
  raiseAll(ids, state) {
    const set = new Set(ids);
    return this.messages.filter((m) => set.has(m.id) && raise(m, state)).length > 0;
  }

  /* What a newer own message reached, every older one has. */
  raiseEarlier() {
    let reached = 'sent';
    for (let i = this.messages.length - 1; i >= 0; i -= 1) {
      const message = this.messages[i];
      if (message.type === 'outgoing') {
        raise(message, reached);
        reached = message.state;
      }
    }
  }

  #insert(message) {
    let i = this.messages.length;
    while (i > 0 && this.messages[i - 1].seq > message.seq) {
      i -= 1;
    }
    const same = this.messages[i - 1];
    if (same?.seq === message.seq) {
      raise(same, message.state);
      same.sender_name = message.sender_name;
    } else {
      this.messages.splice(i, 0, message);
    }
  }

  #trim(keep) {
    const over = this.messages.length - LIMIT;
    if (over > 0) {
      this.messages.splice(keep === 'new' ? 0 : LIMIT, over);
    }
  }
}
