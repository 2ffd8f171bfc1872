/*
 * A line of a sheet that can be edited in place: it shows a value, becomes a field,
 * and explains what the server refuses.
 *
 * SPDX-License-Identifier: MIT
 */
import { el } from './dom.js';
import { icon } from './icons.js';
import { explain } from './toast.js';

/* The words for a result's `reason`: a text, or {field: rule}. */
function wordsOf(reason, label) {
  if (reason === 'unauthorized') {
    return 'Only an admin may do that.';
  }
  if (reason === 'not_found') {
    return 'That is no longer there.';
  }
  return `${label} ${Object.values(reason)[0]}.`;
}

/* save(text): gives the answer's frame. editable: false shows only. */
export function editableLine({ label, value, placeholder = 'None', prefix = '', max = 50, editable = true, save }) {
  const box = el('div', { class: 'line' });

  function show() {
    box.replaceChildren(
      el('span', { class: 'line-label' }, label),
      el('span', { class: value ? 'line-value' : 'line-value dim' }, value ? prefix + value : placeholder));
    if (editable) {
      box.append(el('button', {
        type: 'button', class: 'plain', 'aria-label': `Change ${label.toLowerCase()}`, onclick: edit,
      }, icon('edit', 18)));
    }
  }

  function edit() {
    const input = el('input', { value: value ?? '', maxlength: max, 'aria-label': label });
    const fault = el('p', { class: 'fault', role: 'alert' });
    const form = el('form', { class: 'line-form' }, input,
      el('button', { type: 'submit', class: 'primary' }, 'Save'),
      el('button', { type: 'button', onclick: show }, 'Cancel'));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      try {
        const answer = await save(input.value);
        if (answer.status === 'failure') {
          fault.textContent = wordsOf(answer.reason ?? answer.data.reason, label);
          input.setAttribute('aria-invalid', 'true');
          return;
        }
        value = input.value.trim();
        show();
      } catch (error) {
        fault.textContent = explain(error);
      }
    });
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        show();
      }
    });
    box.replaceChildren(el('span', { class: 'line-label' }, label), form, fault);
    input.focus();
    input.select();
  }

  show();
  return {
    element: box,
    /* A new value from elsewhere; not while it is being edited. */
    set(text, mayEdit = editable) {
      if (!box.querySelector('form') && (text !== value || mayEdit !== editable)) {
        value = text;
        editable = mayEdit;
        show();
      }
    },
  };
}

/* A round picture that its owner may change. upload(file, options) -> answer. */
export function editablePicture(shown, { label, editable, upload }) {
  const box = el('div', { class: 'big-picture' });
  const fault = el('p', { class: 'fault', role: 'alert' });
  const bar = el('progress', { max: '1', value: 0, hidden: true, 'aria-label': 'Uploading' });
  const input = el('input', {
    type: 'file', accept: 'image/jpeg,image/png,image/webp', tabindex: '-1', class: 'sr-only',
    'aria-label': label,
  });
  const place = el('span');
  box.append(place);
  if (editable) {
    box.append(input, el('button', {
      type: 'button', class: 'camera', 'aria-label': label, title: label, onclick: () => input.click(),
    }, icon('camera', 20)));
  }
  input.addEventListener('change', async () => {
    const [file] = input.files;
    if (!file) {
      return;
    }
    const { pictureFault } = await import('./picture.js');
    fault.textContent = pictureFault(file) ?? '';
    if (fault.textContent) {
      return;
    }
    bar.hidden = false;
    try {
      await upload(file, { onProgress: (part) => { bar.value = part; } });
    } catch (error) {
      fault.textContent = `${error.message}.`;
    } finally {
      bar.hidden = true;
      input.value = '';
    }
  });
  const set = (picture) => place.replaceChildren(picture);
  set(shown);
  return { element: el('div', { class: 'picture-block' }, box, bar, fault), set };
}
