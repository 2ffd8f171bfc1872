/*
 * Someone else: who it is, whether a contact, by what nickname.
 *
 * SPDX-License-Identifier: MIT
 */
import { avatar } from './avatar.js';
import { confirm, dialog } from './dialog.js';
import { el } from './dom.js';
import { editableLine } from './fields.js';
import { icon } from './icons.js';
import { lastSeen } from './time.js';
import { explain, say, toast } from './toast.js';

function contactButton(session, person, redraw) {
  const { client } = session;
  const nickname = person.contact_info?.nickname;
  if (!person.contact_info) {
    return el('button', {
      type: 'button',
      onclick: () => client.ask('add_contact', { user_id: person.id }).then(redraw, say),
    }, icon('addPerson', 18), 'Add to contacts');
  }
  return el('button', {
    type: 'button',
    class: 'danger',
    onclick: async () => {
      if (await confirm('Remove this contact?',
        nickname ? `The nickname “${nickname}” goes, too. Your chat stays.` : 'Your chat stays.', 'Remove')) {
        client.ask('delete_contact', { user_id: person.id }).then(redraw, say);
      }
    },
  }, icon('trash', 18), 'Remove from contacts');
}

function content(session, person, close, redraw) {
  const { store, client } = session;
  const nickname = person.contact_info?.nickname ?? null;
  const online = store.online.get(person.id)?.is_online ?? person.status === 'Online';
  const status = online ? 'online' : lastSeen(
    store.online.get(person.id)?.last_seen_at ?? person.last_seen_at);
  return [
    el('div', { class: 'picture-block' },
      avatar({ url: person.avatar_url, name: nickname ?? person.name, id: person.id },
        { size: 'xl', status: online ? 'Online' : null }),
      el('h3', {}, nickname ?? person.name),
      el('p', { class: 'dim' }, status)),
    nickname ? el('div', { class: 'line' }, el('span', { class: 'line-label' }, 'Name'),
      el('span', { class: 'line-value' }, person.name)) : null,
    el('div', { class: 'line' }, el('span', { class: 'line-label' }, 'Username'),
      el('span', { class: 'line-value' }, `@${person.username}`)),
    person.contact_info ? editableLine({
      label: 'Nickname', value: nickname, placeholder: 'Only you will see it',
      save: async (text) => {
        const answer = await client.ask('change_nickname', { user_id: person.id, new_nickname: text });
        if (answer.status === 'success') {
          redraw();
        }
        return answer;
      },
    }).element : null,
    el('div', { class: 'buttons column' },
      el('button', {
        type: 'button', class: 'primary',
        onclick: () => session.chatWith(person.id).then(close, say),
      }, icon('chat', 18), 'Write a message'),
      contactButton(session, person, redraw)),
  ].filter(Boolean);
}

export function personSheet(session, userId) {
  const place = el('div', { class: 'stack' }, el('p', { class: 'hint' }, 'Loading…'));
  let shown = '';
  const redraw = async () => {
    try {
      const { person_info: person } = await session.client.ask('get_person_info', { person_id: userId });
      if (person === null) {
        sheet.close();
        toast('This person has left.');
        return;
      }
      const sig = JSON.stringify([person, session.store.online.get(userId)]);
      if (sig !== shown) {
        shown = sig;
        place.replaceChildren(...content(session, person, () => sheet.close(), redraw));
      }
    } catch (error) {
      place.replaceChildren(el('p', { class: 'hint' }, explain(error)));
    }
  };
  const sheet = dialog('About', () => place);
  redraw();
}
