/*
 * The page: reads the state, writes the document. Text of people only ever
 * becomes text (textContent), never markup.
 *
 * SPDX-License-Identifier: MIT
 */

const $ = (id) => document.getElementById(id);

const STATE_MARKS = { sending: '…', sent: '✓', delivered: '✓✓', read: '✓✓ read' };

function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) {
    e.className = className;
  }
  if (text !== undefined && text !== null) {
    e.textContent = text;
  }
  return e;
}

function picture(url, online) {
  const wrap = element('span', online ? 'dot online' : 'dot');
  const img = element('img', 'avatar');
  img.alt = '';
  img.src = safeUrl(url);
  wrap.append(img);
  return wrap;
}

/* Only what a browser fetches as a picture; a link of another kind is none. */
function safeUrl(url) {
  try {
    const u = new URL(url, location.href);
    return u.protocol === 'http:' || u.protocol === 'https:' ? u.href : '';
  } catch {
    return '';
  }
}

function clock(iso) {
  return iso ? new Date(iso).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) : '';
}

/*
 * Shows `items` as the children of `list`, each made by `make` and kept for as
 * long as what it shows is the same: a row that is being clicked, or has the
 * focus, must not be replaced under the finger.
 */
function keyed(list, items, key, make) {
  const kept = new Map([...list.children].map((e) => [e.dataset.key, e]));
  items.forEach((item, i) => {
    const id = key(item);
    const shown = JSON.stringify(item);
    let e = kept.get(id);
    kept.delete(id);
    if (!e || e.shown !== shown) {
      const fresh = make(item);
      fresh.dataset.key = id;
      fresh.shown = shown;
      e?.replaceWith(fresh);
      e = fresh;
    }
    if (list.children[i] !== e) {
      list.insertBefore(e, list.children[i] ?? null);
    }
  });
  kept.forEach((e) => e.remove());
}

export function showAuth(message = '') {
  $('app').hidden = true;
  $('auth').hidden = false;
  $('banner').hidden = true;
  $('auth-error').textContent = message;
}

export function showApp() {
  $('auth').hidden = true;
  $('app').hidden = false;
}

export function setRegistering(on) {
  $('auth').classList.toggle('registering', on);
  $('tab-login').setAttribute('aria-selected', String(!on));
  $('tab-register').setAttribute('aria-selected', String(on));
  $('auth-submit').textContent = on ? 'Register' : 'Log in';
  $('auth-form').password.autocomplete = on ? 'new-password' : 'current-password';
  $('auth-error').textContent = '';
}

export function showBanner(text) {
  $('banner').textContent = text;
  $('banner').hidden = text === '';
}

let toastTimer = null;

export function showToast(text) {
  $('toast').textContent = text;
  $('toast').hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $('toast').hidden = true; }, 4000);
}

export function renderMe(me) {
  $('me-name').textContent = me.name;
  $('me-name').title = `@${me.username}`;
  $('me-avatar').src = safeUrl(me.avatar_url);
}

export function renderChats(state, onOpen) {
  const items = [...state.chats.values()]
    .map((chat) => ({ ...chat, current: chat.id === state.openId }));
  keyed($('chats'), items, (chat) => chat.id, (chat) => {
    const row = element('button', 'row');
    const body = element('span', 'body');
    row.type = 'button';
    row.dataset.chat = chat.id;
    if (chat.current) {
      row.setAttribute('aria-current', 'true');
    }
    body.append(element('strong', '', chat.name));
    body.append(element('span', 'sub', preview(chat)));
    row.append(picture(chat.avatar_url, chat.status === 'Online'), body);
    if (chat.unread_messages > 0) {
      const badge = element('span', 'badge', chat.unread_messages);
      badge.setAttribute('aria-label', `${chat.unread_messages} unread`);
      row.append(badge);
    }
    row.addEventListener('click', () => onOpen(chat.id));
    const item = element('li');
    item.append(row);
    return item;
  });
  $('no-chats').hidden = items.length > 0;
}

function preview(chat) {
  const last = chat.last_message;
  if (!last) {
    return '';
  }
  const text = last.format === 'text' ? last.content : last.filename ?? last.format;
  return last.type === 'outgoing' ? `${STATE_MARKS[last.state] ?? ''} ${text}` : text;
}

export function renderPeople(people, onPick) {
  const list = $('people');
  if (people === null) {
    list.hidden = true;
    list.replaceChildren();
    return;
  }
  const rows = people.map((person) => {
    const row = element('button', 'row');
    const body = element('span', 'body');
    row.type = 'button';
    row.dataset.person = person.id;
    body.append(element('strong', '', person.contact_info?.nickname ?? person.name));
    body.append(element('span', 'sub', `@${person.username}`));
    row.append(picture(person.avatar_url, false), body);
    row.addEventListener('click', () => onPick(person));
    const item = element('li');
    item.append(row);
    return item;
  });
  if (rows.length === 0) {
    rows.push(element('li', 'hint', 'Nobody found'));
  }
  list.replaceChildren(...rows);
  list.hidden = false;
}

export function renderChat(state, pending) {
  const open = state.open !== null;
  $('app').classList.toggle('in-chat', open);
  $('chat-open').hidden = !open;
  $('no-chat').hidden = open;
  if (!open) {
    return;
  }
  const item = state.chats.get(state.openId) ?? state.open;
  $('chat-name').textContent = item.name;
  $('chat-avatar').src = safeUrl(item.avatar_url);
  $('chat-status').textContent = statusText(state, item);
  renderMessages(state, pending);
}

function statusText(state, item) {
  if (item.status !== 'Offline') {
    return item.status ?? '';
  }
  const other = state.open.members.find((m) => m.user_id === item.other_user_id);
  return other?.last_seen_at
    ? `Last seen ${new Date(other.last_seen_at).toLocaleString()}` : 'Offline';
}

function renderMessages(state, pending) {
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const group = state.open.type === 'group';
  const sent = new Set(state.messages.map((m) => m.front_msg_id));
  const waiting = pending.filter((p) => !sent.has(p.front_msg_id))
    .map((p) => ({ ...p, type: 'outgoing', state: 'sending', format: 'text' }));
  keyed(list, [...state.messages, ...waiting], (m) => m.id ?? m.front_msg_id,
    (m) => line(m, group));
  if (atEnd || list.dataset.chat !== state.openId) {
    list.scrollTop = list.scrollHeight;
  }
  list.dataset.chat = state.openId;
}

function line(message, group) {
  const li = element('li', message.type);
  li.dataset.state = message.state;
  if (group && message.type === 'incoming') {
    li.append(element('span', 'who', message.sender_name));
  }
  if (message.format === 'text') {
    li.append(element('span', 'content', message.content));
  } else {
    const a = element('a', 'content', message.filename ?? message.format);
    a.href = safeUrl(message.content);
    a.rel = 'noopener noreferrer';
    a.target = '_blank';
    li.append(a);
  }
  const mark = message.type === 'outgoing' ? ` ${STATE_MARKS[message.state]}` : '';
  li.append(element('span', 'meta', clock(message.time) + mark));
  return li;
}
