/*
 * Writing: a text that grows, files to go with it, a draft for each chat.
 *
 * SPDX-License-Identifier: MIT
 */
import { OutboxFull } from '../protocol/index.js';
import { $, el } from './dom.js';
import { icon } from './icons.js';
import { fileSize } from './time.js';
import { toast } from './toast.js';

const FILE_MAX = 20 * 1024 * 1024;
const FILES_MAX = 10;
const IDLE_MS = 4_000;

export class Composer {
  #session;
  #chatId = null;
  #files = []; // {file, url}
  #idle = null;

  constructor(session) {
    this.#session = session;
    $('attach').replaceChildren(icon('clip', 22));
    $('send').replaceChildren(icon('send', 20));
    $('composer').onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    $('text').oninput = () => this.#onInput();
    $('text').onkeydown = (event) => this.#onKey(event);
    $('text').onpaste = (event) => this.#onPaste(event);
    $('text').onblur = () => this.#stopTyping();
    $('attach').onclick = () => $('attach-file').click();
    $('attach-file').onchange = () => {
      this.#add([...$('attach-file').files]);
      $('attach-file').value = '';
    };
    this.#acceptDrops($('chat'));
  }

  /* The chat that is open now: its draft comes back. */
  draw() {
    const { openId } = this.#session.store;
    if (openId === this.#chatId) {
      return;
    }
    this.#chatId = openId;
    clearTimeout(this.#idle);
    this.#clearFiles();
    $('text').value = openId ? this.#session.drafts?.get(openId) ?? '' : '';
    this.#fit();
    if (openId) {
      this.focus();
    }
  }

  focus() {
    // A phone would raise its keyboard over what is to be read.
    if (!matchMedia('(pointer: coarse)').matches) {
      $('text').focus();
    }
  }

  #onInput() {
    this.#fit();
    this.#session.drafts?.set(this.#chatId, $('text').value);
    if ($('text').value.trim() === '') {
      this.#stopTyping();
      return;
    }
    this.#session.sayTyping(true);
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stopTyping(), IDLE_MS);
  }

  #stopTyping() {
    clearTimeout(this.#idle);
    this.#session.sayTyping(false);
  }

  #onKey(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    }
  }

  #fit() {
    const text = $('text');
    text.style.height = 'auto';
    text.style.height = `${text.scrollHeight}px`;
    $('composer').classList.toggle('ready', text.value.trim() !== '' || this.#files.length > 0);
  }

  async #submit() {
    const text = $('text').value;
    const files = this.#files.map(({ file }) => file);
    if (!this.#chatId || (text.trim() === '' && files.length === 0)) {
      return;
    }
    this.#clearFiles();
    this.#stopTyping();
    try {
      if (files.length === 0) {
        this.#sendText(text);
        return;
      }
      const chatId = this.#chatId;
      for (const file of files) {
        await this.#session.sendFile(file);
      }
      if (text.trim() !== '' && this.#chatId === chatId) {
        this.#sendText(text);
      }
    } catch (error) {
      if (!(error instanceof OutboxFull)) {
        throw error;
      }
      toast('Too many messages wait to be sent. Please wait until the line is back.');
    }
  }

  /* The text is in the outbox before it leaves the field. */
  #sendText(text) {
    this.#session.sendText(text);
    $('text').value = '';
    this.#session.drafts?.set(this.#chatId, '');
    this.#fit();
  }

  /* ---- files ---- */

  #add(files) {
    for (const file of files) {
      if (file.size > FILE_MAX) {
        toast(`“${file.name}” is over 20 MB, which is too large to send.`);
      } else if (file.size === 0) {
        toast(`“${file.name}” is empty.`);
      } else if (this.#files.length >= FILES_MAX) {
        toast(`At most ${FILES_MAX} files go at once.`);
        break;
      } else {
        const url = file.type.startsWith('image/') ? URL.createObjectURL(file) : null;
        this.#files.push({ file, url });
      }
    }
    this.#drawTray();
    this.focus();
  }

  #clearFiles() {
    this.#files.forEach(({ url }) => url && URL.revokeObjectURL(url));
    this.#files = [];
    this.#drawTray();
  }

  #drawTray() {
    $('tray').hidden = this.#files.length === 0;
    $('tray').replaceChildren(...this.#files.map((entry) => el('li', { class: 'tray-file' },
      entry.url ? el('img', { src: entry.url, alt: '' }) : icon('file', 26),
      el('span', { class: 'tray-name' }, entry.file.name),
      el('span', { class: 'dim' }, fileSize(entry.file.size)),
      el('button', {
        type: 'button', class: 'plain', 'aria-label': `Remove ${entry.file.name}`,
        onclick: () => {
          URL.revokeObjectURL(entry.url);
          this.#files = this.#files.filter((other) => other !== entry);
          this.#drawTray();
        },
      }, icon('close', 16)))));
    this.#fit();
  }

  #onPaste(event) {
    const files = [...event.clipboardData?.files ?? []];
    if (files.length > 0) {
      event.preventDefault();
      this.#add(files);
    }
  }

  #acceptDrops(area) {
    const carriesFiles = (event) => this.#chatId && event.dataTransfer?.types.includes('Files');
    area.ondragover = (event) => {
      if (carriesFiles(event)) {
        event.preventDefault();
        $('drop-hint').hidden = false;
      }
    };
    area.ondragleave = (event) => {
      if (!area.contains(event.relatedTarget)) {
        $('drop-hint').hidden = true;
      }
    };
    area.ondrop = (event) => {
      $('drop-hint').hidden = true;
      if (carriesFiles(event)) {
        event.preventDefault();
        this.#add([...event.dataTransfer.files]);
      }
    };
  }
}
