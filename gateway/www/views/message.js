/*
 * One message as it stands in a chat.
 *
 * SPDX-License-Identifier: MIT
 */
import { attachment } from './attachment.js';
import { avatar, toneOf } from './avatar.js';
import { el } from './dom.js';
import { stateMark } from './state_mark.js';
import { isEmojiOnly, linked } from './text.js';
import { clock, fullTime } from './time.js';

const FAILURES = {
  invalid_field: 'The server did not accept this.',
  too_large: 'This is too large: 20 MB at most.',
  upload_failed: 'The file could not be stored.',
  file_gone: 'The file is no longer in this browser. Please attach it again.',
  not_found: 'This chat is gone.',
  unauthorized: 'You may not write here.',
};

/* Its writer's account was erased: the message keeps its place alone. */
function erased() {
  return el('div', { class: 'content erased' }, 'This message was erased.');
}

function body(session, item) {
  if (item.deleted_at) {
    return erased();
  }
  return item.format === 'text' ? text(item.content) : attachment(session, item);
}

function text(content) {
  return el('div', { class: `content${isEmojiOnly(content) ? ' emoji' : ''}`, dir: 'auto' },
    ...linked(content));
}

function failure(session, item) {
  return el('div', { class: 'failure', role: 'alert' },
    el('span', {}, FAILURES[item.failed] ?? 'This was not sent.'),
    item.failed === 'file_gone' ? null : el('button', {
      type: 'button', onclick: () => session.client.outbox.retry(item.front_msg_id),
    }, 'Try again'),
    el('button', {
      type: 'button', onclick: () => session.client.outbox.discard(item.front_msg_id),
    }, 'Delete'));
}

/* item: a message of the contract, or an entry of the outbox (pending: true). */
export function makeMessage(session, item, inGroup) {
  const own = item.type === 'outgoing';
  const bubble = el('div', { class: 'bubble' },
    own || !inGroup ? null
      : el('span', { class: `sender ink-${toneOf(item.user_id)}` }, item.sender_name),
    body(session, item),
    el('span', { class: 'meta' },
      el('time', { datetime: item.time, title: fullTime(item.time) }, clock(item.time)),
      own ? el('span', { class: 'mark' }) : null));
  return el('li', { class: `message ${item.type} format-${item.format}` },
    el('span', { class: 'sr-only' }, own ? 'You:' : `${item.sender_name}:`),
    own || !inGroup ? null : avatar(
      { url: item.avatar_url, name: item.sender_name, id: item.user_id }, { size: 'xs' }),
    bubble);
}

/* What changes while a message stands: its state, its neighbours, an upload. */
export function updateMessage(session, li, item) {
  li.classList.toggle('first', item.startsRun);
  li.classList.toggle('last', item.endsRun);
  if (item.seq) {
    li.dataset.seq = item.seq;
  }
  if (item.type !== 'outgoing') {
    return;
  }
  const state = item.pending ? (item.failed ? 'failed' : 'sending') : item.state;
  if (li.dataset.state !== state) {
    li.dataset.state = state;
    li.querySelector('.mark').replaceChildren(stateMark(state));
    li.querySelector('.failure')?.remove();
    if (state === 'failed') {
      li.querySelector('.bubble').append(failure(session, item));
    }
  }
  const bar = li.querySelector('progress');
  if (bar && item.uploading) {
    bar.value = item.progress;
  }
  li.classList.toggle('uploading', Boolean(item.uploading));
}
