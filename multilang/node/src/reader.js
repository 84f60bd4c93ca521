// Reads the pipe from the engine and cuts it into frames.
// Knows nothing of what a frame says.
'use strict';

const { Socket } = require('node:net');
const { isAscii } = require('node:buffer');

const CHUNK = 256 * 1024;
const NEWLINE = 10;
const END = Buffer.from('\nend\n');

/** Cuts bytes into the texts that stand before each line `end`. */
class Frames {
  /** Bytes of an unfinished frame, in the pieces in which they came. */
  #pieces = [];
  /** The last bytes of the pieces: the start of an end line may be among them. */
  #tail = Buffer.alloc(0);

  /** Calls `take(text)` for each frame that is complete now. `bytes` may be reused after this returns. */
  push(bytes, take) {
    let data = bytes;
    if (this.#pieces.length > 0) {
      const seam = Buffer.concat([this.#tail, bytes.subarray(0, 4)]);
      if (!seam.includes(END) && !bytes.includes(END)) return this.#keep(bytes);
      data = Buffer.concat([...this.#pieces, bytes]);
      this.#pieces = [];
    }
    let start = 0;
    for (let at; (at = data.indexOf(END, start)) !== -1; start = at + END.length) take(text(data, start, at));
    if (start < data.length) this.#keep(data.subarray(start));
  }

  #keep(bytes) {
    this.#pieces.push(Buffer.from(bytes));
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-4)]).subarray(-4);
    if (this.#pieces.length === 1) this.#tail = Buffer.from(bytes.subarray(-4));
  }

  /** What is left at the end of the input, without a line `end`. */
  get rest() {
    return Buffer.concat(this.#pieces).toString('utf8').trim();
  }
}

function text(data, start, end) {
  while (start < end && data[start] === NEWLINE) start++;
  const bytes = data.subarray(start, end);
  return isAscii(bytes) ? bytes.latin1Slice(0, bytes.length) : bytes.utf8Slice(0, bytes.length);
}

class Reader {
  #socket;
  #frames = new Frames();
  #paused = false;

  /** `onFrame(text)` for each frame, `onChunk()` after each read, `onEnd(rest)` once. */
  constructor(fd, { onFrame, onChunk, onEnd }) {
    this.#socket = new Socket({
      fd,
      readable: true,
      writable: false,
      onread: {
        buffer: Buffer.allocUnsafeSlow(CHUNK),
        callback: (length, buffer) => {
          this.#frames.push(buffer.subarray(0, length), onFrame);
          onChunk();
          return !this.#paused;
        },
      },
    });
    this.#socket.on('end', () => onEnd(this.#frames.rest));
    this.#socket.on('error', (error) => {
      throw error;
    });
    this.#socket.resume();
  }

  pause() {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume() {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }
}

module.exports = { Reader, Frames };
