/*
 * A group: its name, description and picture, who is in it, and what an admin, or
 * anyone, may do there.
 *
 * SPDX-License-Identifier: MIT
 */
import { http } from '../protocol/index.js';
import { avatar } from './avatar.js';
import { confirm, dialog } from './dialog.js';
import { el, keyed } from './dom.js';
import { editableLine, editablePicture } from './fields.js';
import { icon } from './icons.js';
import { personSheet } from './person.js';
import { peoplePicker } from './picker.js';
import { lastSeen } from './time.js';
import { say } from './toast.js';

function addPeople(session, chatId) {
  const members = session.store.details.get(chatId).members.map((m) => m.user_id);
  dialog('Add people', (close) => {
    const add = el('button', { type: 'button', class: 'primary wide', disabled: true }, 'Add');
    const picker = peoplePicker(session, {
      without: members,
      onchange: () => {
        add.disabled = picker.chosen().length === 0;
      },
    });
    add.addEventListener('click', () => session.client
      .ask('add_members', { chat_id: chatId, member_ids: picker.chosen() }).then(close, say));
    return [picker.element, add];
  });
}

async function leave(session, chatId, close) {
  const { store, client } = session;
  if (await confirm('Leave this group?', 'You will no longer see its messages.', 'Leave')) {
    client.ask('remove_member', { chat_id: chatId, member_id: store.me.id }).then(close, say);
  }
}

async function remove(session, chatId, member) {
  const name = session.store.nameOf(chatId, member.user_id);
  if (await confirm('Remove from the group?', `${name} will no longer see its messages.`, 'Remove')) {
    session.client.ask('remove_member', { chat_id: chatId, member_id: member.user_id }).catch(say);
  }
}

function memberRow(session, chatId, member) {
  const { store, client } = session;
  const own = member.user_id === store.me.id;
  const name = store.nameOf(chatId, member.user_id);
  const online = !own && store.isOnline(member.user_id);
  const li = el('li', { class: 'member', 'data-member': member.user_id },
    el('button', {
      type: 'button', class: 'row', disabled: own,
      onclick: () => personSheet(session, member.user_id),
    },
    avatar({ url: member.avatar_url, name, id: member.user_id },
      { size: 's', status: online ? 'Online' : null }),
    el('span', { class: 'row-body' },
      el('span', { class: 'row-line' }, el('span', { class: 'row-name' }, own ? `${member.name} (you)` : name),
        member.role === 'admin' ? el('span', { class: 'tag' }, 'Admin') : null),
      el('span', { class: 'row-sub' }, own ? `@${member.username}`
        : `@${member.username} · ${online ? 'online' : lastSeen(store.online.get(member.user_id)?.last_seen_at)}`))));
  if (store.isAdmin(chatId) && !own) {
    li.append(el('span', { class: 'member-acts' },
      member.role === 'admin' ? null : el('button', {
        type: 'button', class: 'small',
        'aria-label': `Make ${name} an admin`,
        onclick: () => client.ask('give_admin', { chat_id: chatId, user_id: member.user_id }).catch(say),
      }, 'Make admin'),
      el('button', {
        type: 'button', class: 'small danger', 'aria-label': `Remove ${name} from the group`,
        onclick: () => remove(session, chatId, member),
      }, 'Remove')));
  }
  return li;
}

/* The members may still be on their way. */
export async function groupSheet(session, chatId) {
  try {
    if (!session.store.details.has(chatId)) {
      await session.client.ask('open_chat', { chat_id: chatId });
    }
    show(session, chatId);
  } catch (error) {
    say(error);
  }
}

function show(session, chatId) {
  const { store, client } = session;
  const details = () => store.details.get(chatId);
  const admin = () => store.isAdmin(chatId);
  const face = () => avatar({ url: details().avatar_url, name: details().name, id: chatId }, { size: 'xl' });
  const picture = editablePicture(face(), {
    label: 'Change the group’s picture', editable: admin(),
    upload: (file, options) => http.setGroupAvatar(client.token, chatId, file, options),
  });
  const name = editableLine({
    label: 'Name', value: details().name, editable: admin(),
    save: (text) => client.ask('change_group_name', { chat_id: chatId, new_name: text }),
  });
  const description = editableLine({
    label: 'Description', value: details().description, editable: admin(),
    save: (text) => client.ask('change_group_description', { chat_id: chatId, new_description: text }),
  });
  const members = el('ul', { class: 'rows members', 'aria-label': 'Members' });
  const heading = el('h3', {});
  const add = el('button', { type: 'button', onclick: () => addPeople(session, chatId) },
    icon('addPerson', 18), 'Add people');
  let shownUrl = details().avatar_url;

  function refresh() {
    if (!details() || !store.chats.has(chatId)) {
      sheet.close();
      return;
    }
    if (shownUrl !== details().avatar_url) {
      shownUrl = details().avatar_url;
      picture.set(face());
    }
    name.set(details().name, admin());
    description.set(details().description, admin());
    add.hidden = !admin();
    const count = details().members.length;
    heading.textContent = `${count} ${count === 1 ? 'member' : 'members'}`;
    keyed(members, details().members, {
      key: (m) => m.user_id,
      sig: (m) => JSON.stringify([m.name, m.username, m.avatar_url, m.role, admin(),
        store.nameOf(chatId, m.user_id), store.online.get(m.user_id)]),
      make: (m) => memberRow(session, chatId, m),
    });
  }

  const sheet = dialog('Group', (close) => [
    picture.element, name.element, description.element,
    el('div', { class: 'members-head' }, heading, add), members,
    el('button', { type: 'button', class: 'danger wide', onclick: () => leave(session, chatId, close) },
      'Leave group'),
  ], { refresh });
  refresh();
}
