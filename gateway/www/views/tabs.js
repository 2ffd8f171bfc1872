/*
 * Rows of tabs: one is chosen; arrow keys go from one to the next.
 *
 * SPDX-License-Identifier: MIT
 */

export function tabs(buttons, panel, onChoose) {
  const choose = (chosen) => {
    for (const button of buttons) {
      const is = button === chosen;
      button.setAttribute('aria-selected', String(is));
      button.tabIndex = is ? 0 : -1;
    }
    panel.setAttribute('aria-labelledby', chosen.id);
    onChoose(chosen);
  };
  buttons.forEach((button, i) => {
    button.addEventListener('click', () => choose(button));
    button.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) {
        event.preventDefault();
        const next = buttons[(i + step + buttons.length) % buttons.length];
        next.focus();
        choose(next);
      }
    });
  });
  return choose;
}
