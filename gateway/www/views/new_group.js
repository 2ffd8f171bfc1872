/*
 * Making a group: a picture, a name, a description, and who is in it.
 *
 * SPDX-License-Identifier: MIT
 */
import { http, uuid } from '../protocol/index.js';
import { dialog } from './dialog.js';
import { el } from './dom.js';
import { peoplePicker } from './picker.js';
import { pictureField } from './picture.js';
import { explain } from './toast.js';

const FIELDS = { name: 'The name', description: 'The description', member_ids: 'One of the people' };

function wordsFor(error) {
  const field = FIELDS[error.frame?.field];
  if (error.reason === 'invalid_field' && field) {
    return field === FIELDS.member_ids ? `${field} is no longer there.`
      : `${field} must be 1 to 50 characters long.`;
  }
  return error.status ? `${error.message}.` : explain(error);
}

export function newGroup(session) {
  const { client } = session;
  // The same for every try: the server makes one group of them.
  const requestId = uuid();
  const pictureId = uuid();
  let pictureUrl = null;
  let pictureOf = null;

  const fault = el('p', { class: 'error', role: 'alert' });
  const button = el('button', { type: 'button', class: 'picture', 'aria-label': 'Choose a picture for the group' });
  const file = el('input', {
    type: 'file', accept: 'image/jpeg,image/png,image/webp', tabindex: '-1', class: 'sr-only',
    'aria-label': 'Picture file',
  });
  const picture = pictureField(button, file, (text) => {
    fault.textContent = text ?? '';
  });
  const name = el('input', { id: 'group-name', maxlength: 50, placeholder: 'What is it about?', autocomplete: 'off' });
  const description = el('input', { id: 'group-description', maxlength: 50, autocomplete: 'off' });
  const picker = peoplePicker(session);
  const submit = el('button', { type: 'submit', class: 'primary wide' }, 'Create group');

  async function upload() {
    const chosen = picture.file();
    if (chosen && chosen !== pictureOf) {
      pictureUrl = (await http.setGroupAvatar(client.token, pictureId, chosen)).avatar_url;
      pictureOf = chosen;
    }
    return chosen ? pictureUrl : null;
  }

  async function create(close) {
    if (name.value.trim() === '') {
      fault.textContent = 'Please give the group a name.';
      name.focus();
      return;
    }
    submit.disabled = true;
    fault.textContent = '';
    try {
      const avatarUrl = await upload();
      const { chat_item: item } = await client.ask('create_group', {
        request_id: requestId,
        name: name.value,
        description: description.value.trim() === '' ? null : description.value,
        avatar_url: avatarUrl,
        member_ids: picker.chosen(),
      });
      close();
      session.openChat(item.id);
    } catch (error) {
      fault.textContent = wordsFor(error);
    } finally {
      submit.disabled = false;
    }
  }

  dialog('New group', (close) => {
    const form = el('form', { class: 'stack', novalidate: true },
      el('div', { class: 'picture-field' }, button, file,
        el('div', { class: 'field grow' }, el('label', { for: 'group-name' }, 'Group name'), name)),
      el('div', { class: 'field' }, el('label', { for: 'group-description' }, 'Description (optional)'), description),
      el('div', { class: 'field' }, el('span', { class: 'label' }, 'Members'), picker.element),
      fault, submit);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      create(close);
    });
    return form;
  });
  name.focus();
}
