// Logging: `log.info(...)`, and everything the program prints, become `log` messages with their level.
// Lines said before the handshake was answered are kept until a place to send them is attached.
'use strict';

const { format } = require('node:util');

const LEVELS = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 };

/** A line without an end is cut into lines of this many characters. */
const LONGEST = 16 * 1024;

class Log {
  #send = null;
  #kept = [];

  constructor() {
    for (const [name, level] of Object.entries(LEVELS)) {
      this[name] = (...args) => this.write(level, args.length === 1 && typeof args[0] === 'string' ? args[0] : format(...args));
    }
  }

  /** Where log messages go from now on; hands over those already said. */
  attach(send) {
    this.#send = send;
    for (const [level, msg] of this.#kept.splice(0)) send(level, msg);
  }

  write(level, msg) {
    if (this.#send) this.#send(level, msg);
    else this.#kept.push([level, msg]);
  }
}

/** Turns `console` and `process.stdout` into log messages. Returns a function that ends an unfinished line. */
function capturePrints(log) {
  const levels = { log: 'info', info: 'info', debug: 'debug', warn: 'warn', error: 'error' };
  for (const [method, level] of Object.entries(levels)) console[method] = (...args) => log[level](...args);
  console.trace = (...args) => {
    const at = new Error(format(...args));
    at.name = 'Trace';
    log.error(at.stack);
  };
  let stream = null;
  let rest = '';
  const take = (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) log.info(line);
    for (; rest.length >= LONGEST; rest = rest.slice(LONGEST)) log.info(rest.slice(0, LONGEST));
  };
  Object.defineProperty(process, 'stdout', {
    configurable: true,
    enumerable: true,
    get: () => (stream ??= lineStream(take)),
  });
  return () => {
    if (rest !== '') log.info(rest);
    rest = '';
  };
}

function lineStream(take) {
  const { Writable } = require('node:stream');
  const { StringDecoder } = require('node:string_decoder');
  const decoder = new StringDecoder('utf8');
  const stream = new Writable({
    decodeStrings: true,
    write(chunk, _encoding, done) {
      take(decoder.write(chunk));
      done();
    },
  });
  stream.fd = 1;
  stream.isTTY = false;
  return stream;
}

module.exports = { Log, capturePrints };
