/*
 * Runs before the first paint, so that the page does not flash in another theme
 * or show the login to someone who is logged in. Not a module: those wait.
 *
 * SPDX-License-Identifier: MIT
 */
(() => {
  const root = document.documentElement;
  const theme = localStorage.getItem('parley.theme');
  if (theme) {
    root.dataset.theme = theme;
  }
  root.dataset.signedIn = localStorage.getItem('parley.token') ? 'yes' : 'no';
})();
