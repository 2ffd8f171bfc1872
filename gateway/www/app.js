/*
 * The web client's start and its wiring: page events to requests, frames to
 * state, state to views.
 *
 * SPDX-License-Identifier: MIT
 */
import { Protocol, post } from './protocol.js';
import { State } from './state.js';
import * as views from './views.js';

const $ = (id) => document.getElementById(id);
const TOKEN_KEY = 'parley.token';

const state = new State();
let protocol = null;
let drawing = false;

/* However many frames come together, the page is drawn once. */
function draw() {
  if (drawing) {
    return;
  }
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (!state.me) {
      return;
    }
    views.renderMe(state.me);
    views.renderChats(state, openChat);
    views.renderChat(state, state.openId ? protocol.pending(state.openId) : []);
  });
}

function openChat(id) {
  if (!protocol.request('open_chat', { chat_id: id })) {
    views.showToast('Not connected. The chat opens when the line is back.');
  }
}

function markRead() {
  const item = state.chats.get(state.openId);
  if (item && document.visibilityState === 'visible') {
    protocol.request('chat_messages_read', { chat_id: state.openId });
  }
}

const handlers = {
  online() {
    views.showBanner('');
  },
  offline() {
    views.showBanner('Connecting… what you send leaves when the line is back.');
  },
  'signed-out'({ reason }) {
    localStorage.removeItem(TOKEN_KEY);
    state.me = null;
    state.closeChat();
    views.showAuth(reason === 'Token expired' ? 'Your session has expired. Please log in again.' : '');
  },
  user_info(frame) {
    state.takeUserInfo(frame);
    views.showApp();
    if (state.openId) {
      openChat(state.openId);
    }
  },
  chat_info(frame) {
    state.takeChatInfo(frame.chat);
    markRead();
  },
  new_message({ message }) {
    if (state.takeMessage(message) && message.chat_id === state.openId &&
        message.type === 'incoming') {
      markRead();
    }
  },
  messages_delivered: (frame) => state.takeDelivered(frame.message_ids),
  chat_read: (frame) => state.takeRead(frame.chat_id),
  unread_changed: (frame) => state.takeUnread(frame.chat_id, frame.unread_messages),
  user_status_changed: (frame) =>
    state.takeStatus(frame.user_id, frame.is_online, frame.last_seen_at),
  search_people_results(frame) {
    if ($('search').value.trim() !== '') {
      views.renderPeople(frame.search_people_results, pickPerson);
    }
  },
  private_chat_created(frame) {
    state.addChat(frame.chat_item);
    if (frame.chat) {
      state.takeChatInfo(frame.chat);
      $('text').focus();
    }
  },
  chat_forbidden: (frame) => state.dropChat(frame.chat_id),
  error(frame) {
    if (frame.reason !== 'unavailable' || !frame.front_msg_id) {
      views.showToast(`That did not work: ${frame.reason.replaceAll('_', ' ')}`);
    }
  },
};

function connect(token) {
  localStorage.setItem(TOKEN_KEY, token);
  protocol = new Protocol(token);
  for (const [type, handle] of Object.entries(handlers)) {
    protocol.addEventListener(type, (event) => {
      handle(event.detail ?? {});
      draw();
    });
  }
  protocol.open();
}

function pickPerson(person) {
  $('search').value = '';
  views.renderPeople(null);
  protocol.request('create_private_chat', { user_id: person.id });
}

/* ---- the page's own events -------------------------------------------------- */

function registering() {
  return $('auth').classList.contains('registering');
}

async function authenticate(form) {
  if (!registering()) {
    return post('/api/login', { username: form.username.value, password: form.password.value });
  }
  const data = new FormData(form);
  if (!form.avatar.files.length) {
    data.delete('avatar');
  }
  return post('/api/register', data);
}

function authProblem(body) {
  if (body.errors) {
    return Object.entries(body.errors).map(([field, text]) => `${field} ${text}`).join('\n');
  }
  return body.error ?? 'That did not work. Please try again.';
}

$('tab-login').addEventListener('click', () => views.setRegistering(false));
$('tab-register').addEventListener('click', () => views.setRegistering(true));

$('auth-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  $('auth-submit').disabled = true;
  try {
    const { body } = await authenticate(form);
    if (body.token) {
      form.reset();
      connect(body.token);
    } else {
      views.showAuth(authProblem(body));
    }
  } catch {
    views.showAuth('The server cannot be reached. Please try again.');
  } finally {
    $('auth-submit').disabled = false;
  }
});

let searchTimer = null;
$('search').addEventListener('input', () => {
  const input = $('search').value;
  clearTimeout(searchTimer);
  if (input.trim() === '') {
    views.renderPeople(null);
    return;
  }
  searchTimer = setTimeout(() => protocol.request('search_people', { input }), 150);
});

function submitMessage() {
  const text = $('text').value;
  if (text.trim() === '' || !state.openId) {
    return;
  }
  protocol.send(state.openId, text);
  $('text').value = '';
  draw();
}

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  submitMessage();
});

$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submitMessage();
  }
});

$('back').addEventListener('click', () => {
  state.closeChat();
  draw();
});

$('logout').addEventListener('click', () => protocol.logout());

document.addEventListener('visibilitychange', () => {
  if (protocol && state.openId) {
    markRead();
  }
});

const token = localStorage.getItem(TOKEN_KEY);
if (token) {
  connect(token);
} else {
  views.showAuth();
}
