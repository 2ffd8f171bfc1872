/*
 * Choosing people: a search, the contacts and chat partners to begin with, and those
 * chosen so far.
 *
 * SPDX-License-Identifier: MIT
 */
import { avatar } from './avatar.js';
import { el, keyed, whenQuiet } from './dom.js';
import { icon } from './icons.js';
import { explain } from './toast.js';

const nameOf = (person) => person.contact_info?.nickname ?? person.name;

/* Whom one would most likely choose, before anything is typed. */
function likely(store) {
  const people = new Map();
  store.contacts?.forEach((contact) => people.set(contact.id, contact));
  for (const chat of store.chatList()) {
    if (chat.other_user_id && !people.has(chat.other_user_id)) {
      people.set(chat.other_user_id, {
        id: chat.other_user_id, name: chat.name, avatar_url: chat.avatar_url, username: null,
      });
    }
  }
  return [...people.values()];
}

/* without: ids that cannot be chosen. Returns {element, chosen()}. */
export function peoplePicker(session, { without = [], onchange = () => {} } = {}) {
  const chosen = new Map();
  let found = null;
  let words = '';
  const hidden = new Set([...without, session.store.me.id]);
  const chips = el('ul', { class: 'chips', 'aria-label': 'Chosen people' });
  const list = el('ul', { class: 'rows picker-list', 'aria-label': 'People to choose from' });
  const hint = el('p', { class: 'hint' });
  const input = el('input', {
    type: 'search', placeholder: 'Find people by name', 'aria-label': 'Find people by name',
    autocomplete: 'off',
  });

  function toggle(person) {
    if (!chosen.delete(person.id)) {
      chosen.set(person.id, person);
      input.value = '';
      found = null;
    }
    draw();
    onchange();
  }

  function chip(person) {
    return el('li', {}, el('button', {
      type: 'button', class: 'chip', 'aria-label': `Remove ${nameOf(person)}`,
      onclick: () => toggle(person),
    }, nameOf(person), icon('close', 14)));
  }

  function row(person) {
    return el('li', {}, el('button', {
      type: 'button', class: 'row', 'data-person': person.id, onclick: () => toggle(person),
    },
    avatar({ url: person.avatar_url, name: nameOf(person), id: person.id }, { size: 's' }),
    el('span', { class: 'row-body' }, el('span', { class: 'row-name' }, nameOf(person)),
      person.username ? el('span', { class: 'row-sub' }, `@${person.username}`) : null),
    el('span', { class: 'tick' }, icon('check', 18))));
  }

  function draw() {
    const people = (found ?? likely(session.store)).filter((person) => !hidden.has(person.id));
    keyed(chips, [...chosen.values()], { key: (p) => p.id, sig: nameOf, make: chip });
    keyed(list, people, {
      key: (p) => p.id,
      sig: (p) => JSON.stringify(p),
      make: row,
      update: (li, p) => li.firstElementChild.setAttribute('aria-pressed', String(chosen.has(p.id))),
    });
    chips.hidden = chosen.size === 0;
    hint.textContent = words || (people.length > 0 ? ''
      : found === null ? 'Type a name or a username to find people.' : 'Nobody found.');
    hint.hidden = hint.textContent === '';
  }

  const search = whenQuiet(async (query) => {
    words = '';
    try {
      const answer = await session.client.ask('search_people', { input: query });
      found = input.value.trim() === query ? answer.search_people_results : found;
    } catch (error) {
      words = explain(error);
    }
    draw();
  }, 150);

  input.addEventListener('input', () => {
    const query = input.value.trim();
    if (query) {
      search(query);
    } else {
      found = null;
      draw();
    }
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      list.querySelector('button')?.click();
    }
  });
  session.client.ask('get_contacts').then(draw, () => {});
  draw();
  return {
    element: el('div', { class: 'picker' }, chips, input, hint, list),
    chosen: () => [...chosen.keys()],
  };
}
