/*
 * Files that wait to be sent, in IndexedDB: a reload must not lose a picture
 * that was sent while the line was away. Where there is no IndexedDB (private
 * windows of some browsers) files live as long as the page.
 *
 * SPDX-License-Identifier: MIT
 */

const DATABASE = 'parley';
const STORE = 'files';

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let opening = null;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function store(mode) {
  return (await open()).transaction(STORE, mode).objectStore(STORE);
}

const kept = new Map(); // what this page has in memory anyway

export const blobs = {
  async put(key, file) {
    kept.set(key, file);
    try {
      await done((await store('readwrite')).put(file, key));
    } catch (error) {
      console.warn('the file lives only as long as this page:', error);
    }
  },

  /* undefined: it is gone. */
  async get(key) {
    if (kept.has(key)) {
      return kept.get(key);
    }
    try {
      return await done((await store('readonly')).get(key));
    } catch {
      return undefined;
    }
  },

  async delete(key) {
    kept.delete(key);
    try {
      await done((await store('readwrite')).delete(key));
    } catch {
      // It was only in memory.
    }
  },
};
