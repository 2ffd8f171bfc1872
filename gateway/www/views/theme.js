/*
 * Light, dark, or as the system has it: css/tokens.css knows the colours.
 *
 * SPDX-License-Identifier: MIT
 */
import { prefs } from '../state/prefs.js';

export function applyTheme() {
  if (prefs.theme) {
    document.documentElement.dataset.theme = prefs.theme;
  } else {
    delete document.documentElement.dataset.theme;
  }
}
