/*
 * The own profile, and what is chosen for this browser.
 *
 * SPDX-License-Identifier: MIT
 */
import { http } from '../protocol/index.js';
import { prefs } from '../state/prefs.js';
import { avatar } from './avatar.js';
import { confirm, dialog } from './dialog.js';
import { el } from './dom.js';
import { editableLine, editablePicture } from './fields.js';
import { notifications } from './notify.js';
import { applyTheme } from './theme.js';

const KEYS = [
  ['Enter', 'Send'], ['Shift + Enter', 'New line'], ['Ctrl + K', 'Find people and chats'],
  ['Ctrl + F', 'Search in this chat'], ['Alt + ↑ ↓', 'Previous or next chat'], ['Esc', 'Close'],
];

function themeChoice() {
  const choices = [[null, 'System'], ['light', 'Light'], ['dark', 'Dark']];
  return el('fieldset', { class: 'choice' }, el('legend', {}, 'Colours'),
    ...choices.map(([value, label]) => el('label', {},
      el('input', {
        type: 'radio', name: 'theme', value: value ?? 'system', checked: prefs.theme === value,
        onchange: () => {
          prefs.theme = value;
          applyTheme();
        },
      }), el('span', {}, label))));
}

function notifyChoice() {
  const hint = el('span', { class: 'dim' }, notifications.words());
  const box = el('input', {
    type: 'checkbox', role: 'switch', checked: notifications.on, disabled: !notifications.possible,
    onchange: async () => {
      box.checked = await notifications.turn(box.checked);
      hint.textContent = notifications.words();
    },
  });
  return el('label', { class: 'switch' },
    el('span', {}, el('strong', {}, 'Desktop notifications'), hint), box);
}

async function logOut(session, close) {
  const waiting = session.client.outbox.size;
  if (waiting > 0 && !await confirm('Log out?',
    `${waiting} unsent ${waiting === 1 ? 'message' : 'messages'} will be lost.`, 'Log out')) {
    return;
  }
  close();
  session.logOut();
}

export function profile(session) {
  const { store, client } = session;
  const { me } = store;
  const face = () => avatar({ url: me.avatar_url, name: store.me.name, id: me.id }, { size: 'xl' });
  const picture = editablePicture(face(), {
    label: 'Change your picture',
    editable: true,
    upload: async (file, options) => {
      const { avatar_url: url } = await http.setOwnAvatar(client.token, file, options);
      me.avatar_url = url;
      store.me.avatar_url = url;
      picture.set(face());
      store.touch('me');
    },
  });
  dialog('Profile', (close) => [
    picture.element,
    editableLine({ label: 'Name', value: me.name,
      save: (text) => client.ask('change_name', { new_name: text }) }).element,
    editableLine({ label: 'Username', value: me.username, prefix: '@', max: 30,
      save: (text) => client.ask('change_username', { new_username: text }) }).element,
    editableLine({ label: 'Email', value: me.email, editable: false }).element,
    themeChoice(),
    notifyChoice(),
    el('details', { class: 'keys' }, el('summary', {}, 'Keys'),
      el('dl', {}, ...KEYS.flatMap(([keys, what]) => [
        el('dt', {}, el('kbd', {}, keys)), el('dd', {}, what)]))),
    el('button', { type: 'button', id: 'logout', class: 'danger wide', onclick: () => logOut(session, close) },
      'Log out'),
  ]);
}
