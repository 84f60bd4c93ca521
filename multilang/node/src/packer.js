// Answers as batch frames: consecutive finished tuples share one `done`, everything else stands in its order.
// Holds text until `flush`; when to flush is the loop's decision.
'use strict';

const { stringify } = require('./encode.js');
const { FULL, shortened } = require('./writer.js');

/** Characters held before notes are sent in the middle of a handler. */
const NOTES = 256 * 1024;

class Packer {
  /** Storm's clients and ours differ in a few answers; the loops ask here. */
  frames = true;
  #writer;
  #elements = '';
  #run = '';
  #runFirst = 0;
  #runNext = -1;
  #runEmits = false;
  #oldest = 0;

  constructor(writer) {
    this.#writer = writer;
  }

  /** Characters held. */
  get held() {
    return this.#elements.length + this.#run.length;
  }

  /** When the oldest answer was given, in ms since the epoch; 0 where nothing is held. */
  get oldest() {
    return this.#oldest;
  }

  get isFull() {
    return this.#writer.isFull;
  }

  onDrain(callback) {
    this.#writer.onDrain(callback);
  }

  /** The tuple `id` is acked, having emitted `rows` on the default stream. */
  done(id, rows) {
    if (typeof id !== 'number') {
      if (rows.length > 0) this.emits(id, 'default', rows);
      this.send({ command: 'ack', id });
      return;
    }
    if (id !== this.#runNext) {
      this.#closeRun();
      if (this.#oldest === 0) this.#oldest = Date.now();
      this.#runFirst = id;
    } else this.#run += ',';
    this.#runNext = id + 1;
    if (rows.length === 0) this.#run += '[]';
    else {
      this.#run += stringify(rows);
      this.#runEmits = true;
    }
  }

  /** Rows anchored to the tuple `id` alone, which stays open. */
  emits(id, stream, rows) {
    if (typeof id !== 'number') {
      for (const tuple of rows) this.send({ command: 'emit', tuple, stream, anchors: [id], need_task_ids: false });
      return;
    }
    const on = stream === 'default' ? '' : `,"stream":${JSON.stringify(stream)}`;
    this.#closeRun();
    this.#add(`{"emit":${id},"tuples":${stringify(rows)}${on}}`);
  }

  /** Messages `[id, values]` of a spout's default stream. */
  messages(list) {
    this.#add(`{"messages":${stringify(list)}}`);
  }

  /** Any other message, behind all that was said so far. */
  send(message) {
    const text = stringify(message);
    this.#closeRun();
    this.#add(text);
  }

  /** A log line, an error or a metric: its place among the answers does not matter. */
  note(message) {
    this.#add(stringify(shortened(message)));
    if (this.held <= NOTES) return;
    // A handler that says so much cannot be paused, so where the pipe is full this blocks.
    if (this.isFull) this.flushSync(FULL / 2);
    else this.flush();
  }

  flush() {
    this.#closeRun();
    if (this.#elements === '') return;
    const frame = `[${this.#elements}]\nend\n`;
    this.#elements = '';
    this.#oldest = 0;
    this.#writer.write(frame);
  }

  flushSync(limit) {
    this.flush();
    this.#writer.flushSync(limit);
  }

  #add(text) {
    if (this.#oldest === 0) this.#oldest = Date.now();
    this.#elements += this.#elements === '' ? text : `,${text}`;
  }

  #closeRun() {
    const next = this.#runNext;
    if (next === -1) return;
    const first = this.#runFirst;
    const text = this.#runEmits
      ? `{"done":${first},"emits":[${this.#run}]}`
      : `{"done":${first},"count":${next - first}}`;
    this.#run = '';
    this.#runNext = -1;
    this.#runEmits = false;
    this.#add(text);
  }
}

module.exports = { Packer };
