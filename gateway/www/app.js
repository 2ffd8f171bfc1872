/*
 * The web client's start. From here one reads on in
 *
 *   protocol/   the line, requests, the outbox: reusable, knows no page
 *   state/      what the user sees, as data; session.js joins it to the protocol
 *   views/      the page, a part a file; css/ in the same parts
 *
 * A frame changes the store, the store names the part that changed, and that part
 * is drawn in the next frame of the screen, once, however much came.
 *
 * SPDX-License-Identifier: MIT
 */
import { prefs } from './state/prefs.js';
import { Session } from './state/session.js';
import { showAuth, startAuth } from './views/auth.js';
import { Banner } from './views/banner.js';
import { ChatView } from './views/chat.js';
import { Composer } from './views/composer.js';
import { refreshDialogs } from './views/dialog.js';
import { oncePerFrame } from './views/dom.js';
import { Finder } from './views/finder.js';
import { listenToKeys } from './views/keys.js';
import { Messages } from './views/messages.js';
import { drawTitle, watchForNews } from './views/notify.js';
import { Sidebar } from './views/sidebar.js';
import { toast } from './views/toast.js';

const REASONS = {
  'Token expired': 'Your session has expired. Please log in again.',
  Unauthorized: 'You were logged out. Please log in again.',
};

const WORDS_KEY = 'parley.words'; // for the login, over a reload

function attentive() {
  return document.visibilityState === 'visible' && document.hasFocus();
}

/* Each part of the store, and what is drawn when it changes. */
function drawing(session) {
  const sidebar = new Sidebar(session);
  const chat = new ChatView(session);
  const composer = new Composer(session);
  const messages = new Messages(session);
  const finder = new Finder(session, messages);
  const side = oncePerFrame(() => sidebar.draw());
  const open = oncePerFrame(() => {
    chat.draw();
    composer.draw();
    finder.draw();
    refreshDialogs();
  });
  const status = oncePerFrame(() => chat.drawStatus());
  const list = oncePerFrame(() => messages.draw());
  const parts = {
    me: [side],
    chats: [side, open],
    open: [open],
    messages: [list],
    people: [side, open],
    typing: [side, status],
  };
  session.store.on('change', (part) => {
    parts[part].forEach((draw) => draw());
    if (part === 'chats' || part === 'me') {
      drawTitle(session.store);
    }
  });
  session.client.on('state', status);
  session.client.on('outbox', () => {
    list();
    side();
  });
  return { sidebar, chat, composer, messages, finder };
}

/* Back, on a phone above all, means back to the list; a reload comes back to the
 * chat that was open. */
function followHistory(session) {
  const { store } = session;
  let shown = null;
  window.addEventListener('popstate', () => {
    shown = null;
    session.closeChat();
  });
  store.on('change', (part) => {
    if (part !== 'open' || store.openId === shown) {
      return;
    }
    if (store.openId && shown) {
      history.replaceState({ chat: store.openId }, '');
    } else if (store.openId) {
      history.pushState({ chat: store.openId }, '');
    } else {
      history.back();
    }
    shown = store.openId;
  });
  let before = history.state?.chat;
  const reopen = () => {
    if (before && !shown && store.chats.has(before)) {
      shown = before;
      session.openChat(before);
    }
    before = store.known ? null : before;
  };
  reopen();
  session.client.on('user_info', () => queueMicrotask(reopen));
}

/* Nothing of a user stays in this page when the session ends: it begins anew. */
function endWith(session, words) {
  session.end();
  prefs.token = null;
  sessionStorage.setItem(WORDS_KEY, words);
  location.reload();
}

function begin(token) {
  prefs.token = token;
  document.documentElement.dataset.signedIn = 'yes';
  const session = new Session(token);
  const { store, client } = session;
  store.attentive = attentive;
  const views = drawing(session);
  new Banner(session);
  listenToKeys(session, views);
  watchForNews(session);
  const onLook = () => {
    if (attentive()) {
      client.probe();
      session.read();
    }
  };
  document.addEventListener('visibilitychange', onLook);
  window.addEventListener('focus', onLook);
  window.addEventListener('pagehide', () => session.keep());
  client.on('chat_forbidden', () => toast('You are no longer in that chat.'));
  client.on('chat_member_removed', (frame) => {
    if (frame.user_id === store.me.id && !frame.request_id) {
      toast(`You were removed from “${store.chats.get(frame.chat_id)?.name}”.`);
    }
  });
  client.on('signed-out', ({ reason }) => endWith(session, REASONS[reason] ?? ''));
  followHistory(session);
  store.touch('me', 'chats', 'open', 'messages');
  session.start();
}

/* Another tab has logged in or out. */
window.addEventListener('storage', (event) => {
  if (event.key === 'parley.token') {
    location.reload();
  }
});

startAuth((token) => begin(token));
if (prefs.token) {
  begin(prefs.token);
} else {
  showAuth(sessionStorage.getItem(WORDS_KEY) ?? '');
  sessionStorage.removeItem(WORDS_KEY);
}
