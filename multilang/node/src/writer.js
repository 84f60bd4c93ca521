// Bytes to the engine: in order, whole, and never lost at exit.
// Writes at once what the pipe takes; the rest waits here, and `isFull` tells the loop to stop taking input.
'use strict';

const fs = require('node:fs');

const FULL = 1024 * 1024;
const RETRY_MS = 1;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

class Writer {
  #fd;
  #queue = [];
  #offset = 0;
  #waiting = 0;
  #timer = null;
  #drained = [];

  /** `onBroken(error)` is called when nobody reads any more. */
  constructor(fd, onBroken) {
    this.#fd = fd;
    this.onBroken = onBroken;
  }

  /** Is so much waiting that no more input should be taken? */
  get isFull() {
    return this.#waiting > FULL;
  }

  write(text) {
    const bytes = Buffer.from(text, 'utf8');
    this.#queue.push(bytes);
    this.#waiting += bytes.length;
    if (this.#timer === null) this.#send();
  }

  /** Calls back once when less is waiting. */
  onDrain(callback) {
    this.#drained.push(callback);
  }

  /** Blocks until all is written, or, with a limit, until no more than that many bytes wait. */
  flushSync(limit = 0) {
    while (this.#waiting > limit) {
      if (!this.#push()) Atomics.wait(sleeper, 0, 0, RETRY_MS);
    }
  }

  #send() {
    this.#timer = null;
    if (!this.#push()) this.#timer = setTimeout(() => this.#send(), RETRY_MS);
    if (this.#waiting <= FULL / 2 && this.#drained.length > 0) {
      for (const callback of this.#drained.splice(0)) callback();
    }
  }

  /** Writes until the pipe is full (false) or nothing waits (true). */
  #push() {
    while (this.#queue.length > 0) {
      const bytes = this.#queue[0];
      let written;
      try {
        written = fs.writeSync(this.#fd, bytes, this.#offset, bytes.length - this.#offset);
      } catch (error) {
        if (error.code === 'EAGAIN') return false;
        this.#queue = [];
        this.#waiting = 0;
        this.#offset = 0;
        this.onBroken(error);
        return true;
      }
      this.#waiting -= written;
      this.#offset += written;
      if (this.#offset < bytes.length) continue;
      this.#queue.shift();
      this.#offset = 0;
    }
    return true;
  }
}

/** The longest text of a log line or an error; the engine shows less. */
const LONGEST = 64 * 1024;

/** A message whose text is not longer than anybody will read. */
function shortened(message) {
  const { msg } = message;
  if (typeof msg !== 'string' || msg.length <= LONGEST) return message;
  return { ...message, msg: `${msg.slice(0, LONGEST)}... (${msg.length - LONGEST} characters more)` };
}

module.exports = { Writer, FULL, shortened };
