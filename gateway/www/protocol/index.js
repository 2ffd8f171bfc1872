/*
 * What other programs may take from here: nothing in this folder touches a page.
 *
 * SPDX-License-Identifier: MIT
 */
export { Client } from './client.js';
export { HttpError, http } from './http.js';
export { OutboxFull } from './outbox.js';
export { RequestError } from './requests.js';
export { uuid } from './uuid.js';
