/*
 * How long to wait before the next try: twice as long each time, up to a limit,
 * and each time by chance between half and the whole of it, so that a thousand
 * clients whose gateway died do not come back in the same instant.
 *
 * SPDX-License-Identifier: MIT
 */

export class Backoff {
  #tries = 0;

  constructor(firstMs, limitMs, random = Math.random) {
    this.firstMs = firstMs;
    this.limitMs = limitMs;
    this.random = random;
  }

  next() {
    const whole = Math.min(this.firstMs * 2 ** this.#tries, this.limitMs);
    this.#tries += 1;
    return whole / 2 + this.random() * whole / 2;
  }

  reset() {
    this.#tries = 0;
  }
}
