/*
 * Log in and create an account. What is wrong stands at its field.
 *
 * SPDX-License-Identifier: MIT
 */
import { http } from '../protocol/index.js';
import { $, el } from './dom.js';
import { pictureField } from './picture.js';
import { tabs } from './tabs.js';

const NAMES = { username: 'The username', password: 'The password', name: 'Your name', email: 'The email' };

const form = $('auth-form');
let registering = false;
let picture = null;
let choose = null;

function setRegistering(value) {
  registering = value;
  $('auth').classList.toggle('registering', value);
  $('auth-submit').textContent = value ? 'Create account' : 'Log in';
  $('auth-password').autocomplete = value ? 'new-password' : 'current-password';
  clearFaults();
}

function clearFaults() {
  $('auth-error').textContent = '';
  form.querySelectorAll('.fault').forEach((element) => element.remove());
  form.querySelectorAll('[aria-invalid]').forEach((input) => {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  });
}

/* What is being mended is no longer wrong. */
function clearFault(input) {
  if (input.getAttribute('aria-invalid')) {
    $(`fault-${input.name}`)?.remove();
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  }
}

function showFault(field, text) {
  const input = form.elements[field];
  const id = `fault-${field}`;
  input.setAttribute('aria-invalid', 'true');
  input.setAttribute('aria-describedby', id);
  input.after(el('span', { class: 'fault', id }, text));
}

function showProblem(error) {
  clearFaults();
  for (const [field, text] of Object.entries(error.fields ?? {})) {
    showFault(field, `${NAMES[field] ?? field} ${text}.`);
  }
  form.querySelector('[aria-invalid]')?.focus();
  if (!error.fields) {
    $('auth-error').textContent = wordsFor(error);
  }
}

function wordsFor(error) {
  if (error.status === 401) {
    return 'No account has this username with this password.';
  }
  if (error.status === 429) {
    const seconds = Math.ceil((error.retryAfterMs ?? 60_000) / 1000);
    return `Too many tries. Please wait ${seconds} seconds.`;
  }
  if (error.status === 0) {
    return 'The server cannot be reached. Check the network and try again.';
  }
  if (error.status >= 500) {
    return 'The service is not ready. Please try again in a moment.';
  }
  return `${error.message}.`;
}

/* What would be refused anyway need not travel. */
function missing() {
  const fields = registering ? ['name', 'username', 'email', 'password'] : ['username', 'password'];
  const blank = fields.filter((field) => form.elements[field].value.trim() === '');
  blank.forEach((field) => showFault(field, `${NAMES[field]} can't be blank.`));
  form.querySelector('[aria-invalid]')?.focus();
  return blank.length > 0;
}

function send() {
  if (!registering) {
    return http.logIn(form.elements.username.value.trim(), form.elements.password.value);
  }
  const data = new FormData(form);
  data.set('username', form.elements.username.value.trim());
  if (!picture.file()) {
    data.delete('avatar');
  }
  return http.register(data);
}

async function submit(onToken) {
  clearFaults();
  if (missing()) {
    return;
  }
  $('auth-submit').disabled = true;
  form.setAttribute('aria-busy', 'true');
  try {
    const { token } = await send();
    form.reset();
    picture.clear();
    onToken(token, registering);
  } catch (error) {
    showProblem(error);
  } finally {
    $('auth-submit').disabled = false;
    form.removeAttribute('aria-busy');
  }
}

export function startAuth(onToken) {
  picture = pictureField($('auth-picture'), $('auth-picture-file'), (fault) => {
    $('auth-error').textContent = fault ?? '';
  });
  choose = tabs([$('tab-login'), $('tab-register')], $('auth-panel'),
    (tab) => setRegistering(tab === $('tab-register')));
  form.addEventListener('input', (event) => clearFault(event.target));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit(onToken);
  });
}

/* After a logout, or when the token was refused. */
export function showAuth(words = '') {
  choose($('tab-login'));
  $('auth-error').textContent = words;
  $('auth-username').focus();
}
