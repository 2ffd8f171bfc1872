/*
 * Listeners by name. One that fails must not keep the others from hearing.
 *
 * SPDX-License-Identifier: MIT
 */

export class Emitter {
  #listeners = new Map();

  /* Returns a function that ends the listening. "*" hears everything. */
  on(name, listener) {
    if (!this.#listeners.has(name)) {
      this.#listeners.set(name, new Set());
    }
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  emit(name, detail) {
    this.#call(name, detail);
    this.#call('*', { name, detail });
  }

  #call(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        console.error(`a listener of ${name} failed:`, error);
      }
    }
  }
}
