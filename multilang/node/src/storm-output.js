// Answers as Storm's own messages, one frame each, for an engine that does not offer batch frames.
// The same methods as `Packer`.
'use strict';

const { stringify } = require('./encode.js');
const { FULL, shortened } = require('./writer.js');

/** Characters held before notes are sent in the middle of a handler. */
const NOTES = 256 * 1024;

class StormOutput {
  frames = false;
  #writer;
  #text = '';
  #oldest = 0;

  constructor(writer) {
    this.#writer = writer;
  }

  get held() { return this.#text.length; }
  get oldest() { return this.#oldest; }
  get isFull() { return this.#writer.isFull; }
  onDrain(callback) { this.#writer.onDrain(callback); }

  done(id, rows) {
    this.emits(id, 'default', rows);
    this.send({ command: 'ack', id });
  }

  emits(id, stream, rows) {
    for (const tuple of rows) {
      this.send({ command: 'emit', tuple, stream, anchors: [id], need_task_ids: false });
    }
  }

  messages(list) {
    for (const [id, tuple] of list) {
      this.send({ command: 'emit', tuple, id: id ?? undefined, need_task_ids: false });
    }
  }

  send(message) {
    if (this.#oldest === 0) this.#oldest = Date.now();
    this.#text += `${stringify(message)}\nend\n`;
  }

  note(message) {
    this.send(shortened(message));
    if (this.held <= NOTES) return;
    if (this.isFull) this.flushSync(FULL / 2);
    else this.flush();
  }

  flush() {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.#oldest = 0;
    this.#writer.write(text);
  }

  flushSync(limit) {
    this.flush();
    this.#writer.flushSync(limit);
  }
}

module.exports = { StormOutput };
