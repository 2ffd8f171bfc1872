/*
 * The icons, as strokes on a grid of 24.
 *
 * SPDX-License-Identifier: MIT
 */

const NS = 'http://www.w3.org/2000/svg';

const PATHS = {
  back: ['M15 5l-7 7 7 7'],
  down: ['M6 9l6 6 6-6'],
  up: ['M6 15l6-6 6 6'],
  close: ['M6 6l12 12', 'M18 6L6 18'],
  search: ['M11 4a7 7 0 1 0 0 14a7 7 0 1 0 0-14', 'M16 16l4.5 4.5'],
  send: ['M4.5 12L20 4.5L14.5 20L11.5 13z', 'M11.5 13L20 4.5'],
  clip: ['M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.6-8.6a3.4 3.4 0 0 1 4.8 4.8l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4l7.6-7.6'],
  group: ['M9 5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7', 'M2.5 19.5c0-3.6 2.9-5.5 6.5-5.5s6.5 1.9 6.5 5.5',
    'M16 5.3a3.4 3.4 0 0 1 0 6.4', 'M18 14.6c2.2.8 3.5 2.5 3.5 4.9'],
  newGroup: ['M9 5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7', 'M2.5 19.5c0-3.6 2.9-5.5 6.5-5.5s6.5 1.9 6.5 5.5',
    'M19 7v6', 'M16 10h6'],
  person: ['M12 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8', 'M4.5 20.5c0-4 3.4-6 7.5-6s7.5 2 7.5 6'],
  addPerson: ['M10 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8', 'M2.5 20.5c0-4 3.4-6 7.5-6s7.5 2 7.5 6', 'M19.5 6v6', 'M16.5 9h6'],
  info: ['M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17', 'M12 11v5.5', 'M12 7.6v.2'],
  file: ['M13.5 3H7a1.5 1.5 0 0 0-1.5 1.5v15A1.5 1.5 0 0 0 7 21h10a1.5 1.5 0 0 0 1.5-1.5V8z', 'M13.5 3v5h5'],
  download: ['M12 4v11', 'M7.5 11l4.5 4.5 4.5-4.5', 'M5 20h14'],
  clock: ['M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16', 'M12 8v4.5l3 1.8'],
  check: ['M5 12.5l4.5 4.5L19 7.5'],
  checks: ['M1.5 12.5L6 17L15.5 7.5', 'M11 15.5l1.5 1.5L22 7.5'],
  alert: ['M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17', 'M12 7.5V13', 'M12 16.3v.2'],
  camera: ['M4.5 7.5h3l1.5-2.5h6l1.5 2.5h3A1.5 1.5 0 0 1 21 9v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18V9a1.5 1.5 0 0 1 1.5-1.5z',
    'M12 10a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7'],
  chat: ['M4.5 5h15A1.5 1.5 0 0 1 21 6.5v9a1.5 1.5 0 0 1-1.5 1.5H12l-5 4v-4H4.5A1.5 1.5 0 0 1 3 15.5v-9A1.5 1.5 0 0 1 4.5 5z'],
  edit: ['M4 20l1-4.5L16.5 4a2.1 2.1 0 0 1 3 3L8.5 18.5z'],
  more: ['M12 5.5v.1', 'M12 12v.1', 'M12 18.5v.1'],
  trash: ['M5 7h14', 'M9.5 7V4.5h5V7', 'M7 7l.8 12.5h8.4L17 7'],
  again: ['M19.5 12a7.5 7.5 0 1 1-2.3-5.4', 'M19.5 3.5V7.5H15.5'],
  offline: ['M3 3l18 18', 'M5 12.5a10 10 0 0 1 4.5-2.6', 'M2 9a15 15 0 0 1 5-3.2',
    'M12 5c3.8 0 7.3 1.5 10 4', 'M8.5 16a5 5 0 0 1 7 0', 'M12 19.5v.1'],
};

export function icon(name, size = 20) {
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('width', size);
  svg.setAttribute('height', size);
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', `icon icon-${name}`);
  for (const d of PATHS[name]) {
    const path = document.createElementNS(NS, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}
