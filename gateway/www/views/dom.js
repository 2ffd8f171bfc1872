/*
 * The page's few tools. Text becomes text nodes, always: nothing in this client
 * makes markup out of a string (the policy the gateway sends forbids it, too).
 *
 * SPDX-License-Identifier: MIT
 */

export const $ = (id) => document.getElementById(id);

/* el('button', {class: 'primary', onclick: f, 'aria-label': 'Send'}, 'Send') */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (name === 'value') {
      element.value = value;
    } else {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/* Makes the children of `container` those of `items`, touching only what changed.
 *   key(item)        the same for the same thing
 *   sig(item)        changes when the element must be made anew
 *   make(item)       an element
 *   update(element, item)   what may change in place; optional */
export function keyed(container, items, { key, sig, make, update = null }) {
  const old = new Map([...container.children].map((child) => [child.itemKey, child]));
  let next = container.firstElementChild;
  for (const item of items) {
    const itemKey = key(item);
    const itemSig = sig(item);
    const before = old.get(itemKey);
    let element = before;
    if (!before || before.itemSig !== itemSig) {
      element = make(item);
      element.itemKey = itemKey;
      element.itemSig = itemSig;
      if (before) {
        const focused = before.contains(document.activeElement);
        if (before === next) {
          next = before.nextElementSibling;
        }
        before.replaceWith(element);
        if (focused) {
          element.querySelector('button, a, input')?.focus();
        }
      }
    }
    old.delete(itemKey);
    update?.(element, item);
    if (element === next) {
      next = next.nextElementSibling;
    } else {
      container.insertBefore(element, next);
    }
  }
  old.forEach((element) => element.remove());
}

/* Calls f at most once a frame, however often the result is called. */
export function oncePerFrame(f) {
  let asked = false;
  return () => {
    if (!asked) {
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        f();
      });
    }
  };
}

/* Calls f when nothing was asked of it for `ms`. */
export function whenQuiet(f, ms) {
  let timer = null;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...values), ms);
  };
}
