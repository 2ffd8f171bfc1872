/*
 * A picture, video, sound or file in a message: as it lies on the server, or, while
 * it waits to be sent, from this browser with the upload's progress. Boxes have
 * their size before their content is there, so that nothing jumps.
 *
 * SPDX-License-Identifier: MIT
 */
import { dialog } from './dialog.js';
import { el } from './dom.js';
import { icon } from './icons.js';
import { link, webAddress } from './text.js';
import { fileSize } from './time.js';

/* An object URL lives as long as the element that shows it. */
const urls = new WeakMap();
const released = new FinalizationRegistry((url) => URL.revokeObjectURL(url));

function localUrl(element, file) {
  const url = URL.createObjectURL(file);
  urls.set(element, url);
  released.register(element, url);
  return url;
}

function viewer(href, name) {
  dialog(name, () => [
    el('img', { class: 'viewer-image', src: href, alt: name }),
    el('p', {}, link(href, 'Open in a new tab')),
  ], { kind: 'viewer' });
}

function fileLink(href, item) {
  return el('a', {
    class: 'file', href, target: '_blank', rel: 'noopener noreferrer nofollow',
    download: item.filename ?? '',
  }, icon('file', 28), el('span', { class: 'file-name' }, item.filename ?? 'File'),
  icon('download'));
}

/* What cannot be shown is still a link to where it lies. */
function orLink(element, box, href, item) {
  element.addEventListener('error', () => box.replaceWith(fileLink(href, item)), { once: true });
  return element;
}

function stored(item) {
  const href = webAddress(item.content);
  const name = item.filename ?? 'Photo';
  if (!href) {
    return el('div', { class: 'content' }, item.content);
  }
  if (item.format === 'image') {
    const box = el('button', {
      type: 'button', class: 'image', 'aria-label': `Show ${name}`, onclick: () => viewer(href, name),
    });
    box.append(orLink(el('img', { src: href, alt: name, loading: 'lazy', decoding: 'async' }),
      box, href, item));
    return box;
  }
  if (item.format === 'video' || item.format === 'audio') {
    const box = el('div', { class: item.format });
    box.append(orLink(el(item.format, {
      src: href, controls: true, preload: 'metadata', 'aria-label': item.filename ?? item.format,
    }), box, href, item));
    if (item.format === 'audio' && item.filename) {
      box.append(el('span', { class: 'file-name' }, item.filename));
    }
    return box;
  }
  return fileLink(href, item);
}

function waiting(session, item) {
  const box = el('div', { class: `waiting ${item.format === 'image' ? 'image' : 'file'}` });
  if (item.format === 'image') {
    const picture = el('img', { alt: item.filename });
    box.append(picture);
    session.client.outbox.file(item.front_msg_id).then((file) => {
      if (file) {
        picture.src = localUrl(picture, file);
      }
    });
  } else {
    box.append(icon('file', 28), el('span', { class: 'file-name' }, item.filename,
      el('span', { class: 'dim' }, ` ${fileSize(item.size ?? 0)}`)));
  }
  box.append(
    el('progress', { max: '1', value: 0, 'aria-label': `Sending ${item.filename}` }),
    el('button', {
      type: 'button', class: 'plain cancel', 'aria-label': `Do not send ${item.filename}`,
      onclick: () => session.client.outbox.discard(item.front_msg_id),
    }, icon('close', 16)));
  return box;
}

export function attachment(session, item) {
  return item.pending ? waiting(session, item) : stored(item);
}
