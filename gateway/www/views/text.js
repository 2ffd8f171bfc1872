/*
 * A message's text: text, but for addresses of the web, which become links.
 *
 * SPDX-License-Identifier: MIT
 */
import { el } from './dom.js';

const ADDRESS = /https?:\/\/[^\s<>"']+/gi;
const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D\p{Extended_Pictographic}|\p{Emoji_Modifier})*\s*){1,3}$/u;

/* An absolute http(s) address, or null: nothing else is ever made a link. */
export function webAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

/* "(see https://example.org/a_(b))." ends before the last two characters. */
function withoutTail(address) {
  let end = address;
  for (;;) {
    const last = end.at(-1);
    const opens = end.split('(').length;
    const closes = end.split(')').length;
    if (/[.,;:!?\]}]/.test(last) || (last === ')' && closes > opens)) {
      end = end.slice(0, -1);
    } else {
      return end;
    }
  }
}

export function link(href, ...children) {
  return el('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, ...children);
}

/* Text nodes and links. */
export function linked(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const shown = withoutTail(match[0]);
    const href = webAddress(shown);
    if (href) {
      parts.push(text.slice(from, match.index), link(href, shown));
      from = match.index + shown.length;
    }
  }
  parts.push(text.slice(from));
  return parts.filter((part) => part !== '');
}

export const isEmojiOnly = (text) => text.length < 40 && EMOJI_ONLY.test(text);

/* A message in one line, for lists and notifications. */
export function preview({ format, content, filename }) {
  switch (format) {
    case 'image': return 'Photo';
    case 'video': return 'Video';
    case 'audio': return 'Audio';
    case 'file': return filename ?? 'File';
    default: return content;
  }
}
