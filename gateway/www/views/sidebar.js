/*
 * The side: who I am, the search, and one list that shows chats, contacts, or
 * what the search found.
 *
 * SPDX-License-Identifier: MIT
 */
import { avatar } from './avatar.js';
import { chatRow, chatSig, personRow, personSig } from './chat_list.js';
import { $, el, keyed, whenQuiet } from './dom.js';
import { icon } from './icons.js';
import { newGroup } from './new_group.js';
import { personSheet } from './person.js';
import { profile } from './profile.js';
import { tabs } from './tabs.js';
import { say } from './toast.js';

const QUIET_MS = 150;

const lower = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

export class Sidebar {
  #session;
  #showing = 'chats';
  #found = null; // people; null: no answer yet
  #searched = ''; // what `found` belongs to

  constructor(session) {
    this.#session = session;
    $('new-group').replaceChildren(icon('newGroup', 22));
    $('search-icon').replaceChildren(icon('search', 18));
    $('me').onclick = () => profile(session);
    $('new-group').onclick = () => newGroup(session);
    $('search').oninput = () => this.#onSearch();
    $('search').onkeydown = (event) => this.#onKey(event);
    $('list').onkeydown = (event) => this.#onKey(event);
    tabs([$('tab-chats'), $('tab-contacts')], $('list'), (tab) => {
      this.#show(tab === $('tab-contacts') ? 'contacts' : 'chats');
    });
  }

  #ask = whenQuiet((input) => this.#search(input), QUIET_MS);

  get #query() {
    return $('search').value.trim();
  }

  #show(what) {
    this.#showing = what;
    if (what === 'contacts') {
      this.#session.loadContacts().catch(say);
    }
    this.draw();
  }

  #onSearch() {
    if (this.#query) {
      this.#ask(this.#query);
    }
    this.draw();
  }

  async #search(input) {
    if (!this.#query) {
      return;
    }
    try {
      const answer = await this.#session.client.ask('search_people', { input });
      if (this.#query === input) {
        this.#found = answer.search_people_results;
        this.#searched = input;
        this.draw();
      }
    } catch (error) {
      if (this.#query === input) {
        this.#found = [];
        say(error);
        this.draw();
      }
    }
  }

  /* Arrows walk the rows; Escape ends a search. */
  #onKey(event) {
    const rows = [...$('list').querySelectorAll('.row')];
    const at = rows.indexOf(document.activeElement);
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const next = at + (event.key === 'ArrowDown' ? 1 : -1);
      (next < 0 ? $('search') : rows[Math.min(next, rows.length - 1)])?.focus();
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      this.#endSearch();
      $(this.#session.store.openId ? 'text' : 'search').focus();
    } else if (event.key === 'Enter' && event.target === $('search')) {
      event.preventDefault();
      rows[0]?.click();
    }
  }

  #endSearch() {
    $('search').value = '';
    this.#found = null;
    this.draw();
  }

  #openChat(chatId) {
    this.#endSearch();
    this.#session.openChat(chatId);
  }

  async #openPerson(userId) {
    try {
      await this.#session.chatWith(userId);
      this.#endSearch();
    } catch (error) {
      say(error);
    }
  }

  draw() {
    const { store } = this.#session;
    if (!store.me) {
      return;
    }
    $('me-name').textContent = store.me.name;
    $('me-avatar').replaceChildren(avatar(
      { url: store.me.avatar_url, name: store.me.name, id: store.me.id }, { size: 's' }));
    const sections = this.#query ? this.#searchSections()
      : this.#showing === 'contacts' ? this.#contactSections() : this.#chatSections();
    keyed($('list'), sections, {
      key: (section) => section.name,
      sig: (section) => section.sig ?? 'list',
      make: (section) => section.make(),
      update: (element, section) => section.update?.(element),
    });
  }

  /* ---- sections ---- */

  #list(name, label, items, rows, heading = null) {
    return {
      name,
      make: () => el('section', { 'aria-label': label },
        heading ? el('h2', { class: 'list-head' }, heading) : null,
        el('ul', { class: 'rows', id: name })),
      update: (element) => keyed(element.querySelector('ul'), items, rows),
    };
  }

  #words(name, text, ...more) {
    return {
      name,
      sig: text,
      make: () => el('div', { class: 'list-words' }, el('p', {}, text), ...more),
    };
  }

  #chatRows() {
    const session = this.#session;
    return {
      key: (chat) => chat.id,
      sig: (chat) => chatSig(session, chat),
      make: (chat) => chatRow(session, chat, () => this.#openChat(chat.id)),
      update: (li, chat) => {
        const open = chat.id === session.store.openId;
        li.firstElementChild.toggleAttribute('data-open', open);
        if (open) {
          li.firstElementChild.setAttribute('aria-current', 'true');
        } else {
          li.firstElementChild.removeAttribute('aria-current');
        }
      },
    };
  }

  #personRows() {
    const session = this.#session;
    return {
      key: (person) => person.id,
      sig: (person) => personSig(session, person),
      make: (person) => personRow(session, person, () => this.#openPerson(person.id),
        person.id === session.store.me.id ? null : el('button', {
          type: 'button',
          class: 'plain row-info',
          'aria-label': `About ${person.name}`,
          title: 'About this person',
          onclick: () => personSheet(session, person.id),
        }, icon('info'))),
    };
  }

  #chatSections() {
    const { store } = this.#session;
    const chats = store.chatList();
    if (chats.length > 0) {
      return [this.#list('chats', 'Your chats', chats, this.#chatRows())];
    }
    return store.known ? [this.#words('empty', 'No chats yet.',
      el('p', { class: 'dim' }, 'Type a friend’s name in the field above to find them.'))]
      : [this.#loading()];
  }

  #loading() {
    return {
      name: 'loading',
      make: () => el('div', { class: 'skeletons', role: 'status', 'aria-label': 'Loading your chats' },
        ...Array.from({ length: 6 }, () => el('span', { class: 'skeleton' }))),
    };
  }

  #contactSections() {
    const { contacts, chats } = this.#session.store;
    if (contacts === null) {
      return [this.#loading()];
    }
    if (contacts.size === 0) {
      return [this.#words('no-contacts', 'No contacts yet.', el('p', { class: 'dim' },
        chats.size > 0 ? 'Open a chat and tap its name to add someone.'
          : 'Find someone with the field above, then add them.'))];
    }
    const name = (person) => person.contact_info.nickname ?? person.name;
    const people = [...contacts.values()].sort((a, b) => name(a).localeCompare(name(b)));
    return [this.#list('contacts', 'Your contacts', people, this.#personRows())];
  }

  #searchSections() {
    const query = this.#query;
    const wanted = lower(query);
    const chats = this.#session.store.chatList()
      .filter((chat) => lower(chat.name).includes(wanted));
    const sections = [];
    if (chats.length > 0) {
      sections.push(this.#list('found-chats', 'Chats found', chats, this.#chatRows(), 'Chats'));
    }
    if (this.#found?.length > 0) {
      sections.push(this.#list('people', 'People found', this.#found, this.#personRows(), 'People'));
    } else if (this.#found === null || this.#searched !== query) {
      sections.push(this.#words('searching', 'Looking for people…'));
    } else {
      sections.push(this.#words('nobody', `Nobody found for “${query}”.`, el('p', { class: 'dim' },
        'Try a part of the name or the username.')));
    }
    return sections;
  }
}
