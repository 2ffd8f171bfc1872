/*
 * Choosing a picture of a person or a group: a round button that shows what was
 * chosen.
 *
 * SPDX-License-Identifier: MIT
 */
import { el } from './dom.js';
import { icon } from './icons.js';

export const PICTURE_TYPES = ['image/jpeg', 'image/png', 'image/webp'];
const PICTURE_MAX = 2 * 1024 * 1024;

/* Why it cannot be taken, or null. The server judges by content, later. */
export function pictureFault(file) {
  if (!PICTURE_TYPES.includes(file.type)) {
    return 'Please choose a JPEG, PNG or WebP picture.';
  }
  return file.size > PICTURE_MAX ? 'That picture is over 2 MB. Please choose a smaller one.' : null;
}

/* Joins a button and its file input. Returns {file(), clear()}. */
export function pictureField(button, input, onFault) {
  let shown = null;
  const show = (file) => {
    URL.revokeObjectURL(shown);
    shown = file ? URL.createObjectURL(file) : null;
    button.replaceChildren(shown ? el('img', { src: shown, alt: 'The chosen picture' })
      : icon('camera', 24));
  };
  button.addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const [file] = input.files;
    const fault = file ? pictureFault(file) : null;
    onFault(fault);
    if (fault) {
      input.value = '';
    }
    show(fault ? null : file);
  });
  show(null);
  return {
    file: () => input.files[0] ?? null,
    clear() {
      input.value = '';
      show(null);
    },
  };
}
