/*
 * Times as people say them, in their own language and time zone.
 *
 * SPDX-License-Identifier: MIT
 */

const DAY_MS = 86_400_000;
const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekdayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const dateFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long' });
const yearFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const shortFormat = new Intl.DateTimeFormat(undefined, { day: '2-digit', month: '2-digit', year: '2-digit' });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

function daysAgo(date) {
  return Math.round((midnight(new Date()) - midnight(date)) / DAY_MS);
}

export const clock = (time) => clockFormat.format(new Date(time));

export const fullTime = (time) => fullFormat.format(new Date(time));

/* The same for all times of a day. */
export const dayKey = (time) => String(midnight(new Date(time)));

/* Above the first message of a day. */
export function dayName(time) {
  const date = new Date(time);
  const ago = daysAgo(date);
  if (ago <= 0) {
    return 'Today';
  }
  if (ago === 1) {
    return 'Yesterday';
  }
  if (ago < 7) {
    return weekdayFormat.format(date);
  }
  return (date.getFullYear() === new Date().getFullYear() ? dateFormat : yearFormat).format(date);
}

/* In the list of chats. */
export function shortTime(time) {
  const date = new Date(time);
  const ago = daysAgo(date);
  if (ago <= 0) {
    return clock(time);
  }
  return ago === 1 ? 'Yesterday' : ago < 7 ? weekdayFormat.format(date) : shortFormat.format(date);
}

/* Where a place in a long chat is meant. */
export function dayAndClock(time) {
  const day = shortTime(time);
  return day === clock(time) ? day : `${day}, ${clock(time)}`;
}

export function lastSeen(time) {
  if (!time) {
    return 'offline';
  }
  const minutes = Math.floor((Date.now() - new Date(time)) / 60_000);
  if (minutes < 1) {
    return 'last seen just now';
  }
  if (minutes < 60) {
    return `last seen ${minutes} min ago`;
  }
  const ago = daysAgo(new Date(time));
  const day = ago <= 0 ? 'today' : ago === 1 ? 'yesterday' : dayName(time);
  return `last seen ${day} at ${clock(time)}`;
}

export function fileSize(bytes) {
  if (bytes < 1000) {
    return `${bytes} bytes`;
  }
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
