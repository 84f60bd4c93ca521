// Values to JSON text: copies of rows, numbers too large for JavaScript, JSON passed on byte for byte.
// Rows are copied when they are emitted, so a handler may change its objects afterwards.
'use strict';

const { randomBytes } = require('node:crypto');

const { describe, UsageError } = require('./values.js');

const MARK = `galewire-raw-${randomBytes(9).toString('hex')}-`;
const MARKED = new RegExp(`"${MARK}(\\d+)"`, 'g');

/** Texts that stand in the JSON being written as `"MARK<index>"` until it is complete. */
let placed = [];

function place(text) {
  return MARK + (placed.push(text) - 1);
}

/** A value that is already JSON text and is written as it stands; made by `rawJson()`. */
class RawJson {
  constructor(text) {
    this.text = text;
  }

  toJSON() {
    return place(this.text);
  }

  toString() {
    return this.text;
  }
}

/** Wraps JSON text (a string or bytes) so that an emit writes exactly these bytes. Throws on invalid JSON. */
function rawJson(json) {
  if (json instanceof RawJson) return json;
  const text = typeof json === 'string' ? json : Buffer.from(json).toString('utf8');
  JSON.parse(text);
  return new RawJson(text);
}

/** JSON text of any value, on one line; `RawJson` and BigInt keep all their digits. */
function stringify(value) {
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    placed = [];
    if (!(error instanceof TypeError) || !/BigInt/.test(error.message)) throw error;
    text = stringifyBig(value);
  }
  return placed.length === 0 ? text : fill(text);
}

function stringifyBig(value) {
  try {
    return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? place(String(part)) : part));
  } catch (error) {
    placed = [];
    throw error;
  }
}

function fill(text) {
  const texts = placed;
  placed = [];
  return text.replace(MARKED, (_all, index) => texts[Number(index)]);
}

/** The engine takes messages of 64 MiB; the rest is for what stands around a value. */
const LARGEST = 63 * 1024 * 1024;

const tooLarge = (length) => new RangeError(`a value of ${length} characters is more than a message may have`);

/** Bytes copied by `snapshot` since `takeSize` was last called, roughly. */
let size = 0;

function takeSize() {
  const taken = size;
  size = 0;
  return taken;
}

const sizeSoFar = () => size;

/** A copy of a row that later changes to the handler's objects cannot reach. */
function snapshot(values) {
  const count = values.length;
  if (count === 1) return [frozen(values[0])];
  const row = new Array(count);
  for (let i = 0; i < count; i++) row[i] = frozen(values[i]);
  return row;
}

/** The text of an object. What looks empty to JSON and is not (a promise, a Map, a Set) would be lost. */
function json(value) {
  const text = stringify(value) ?? 'null';
  if (text === '{}' && (typeof value.then === 'function' || value instanceof Map || value instanceof Set)) {
    const advice = typeof value.then === 'function' ? '' : '; spread it into an array or an object';
    throw new UsageError(`emitted what is not JSON: ${describe(value)}${advice}`);
  }
  return text;
}

function frozen(value) {
  switch (typeof value) {
    case 'string':
      if (value.length > LARGEST) throw tooLarge(value.length);
      size += value.length + 5;
      return value;
    case 'object': {
      if (value === null) break;
      const raw = value instanceof RawJson ? value : new RawJson(json(value));
      if (raw.text.length > LARGEST) throw tooLarge(raw.text.length);
      size += raw.text.length + 5;
      return raw;
    }
    case 'bigint':
      size += 24;
      return new RawJson(String(value));
    case 'function':
    case 'symbol':
      throw new UsageError(`emitted what is not JSON: ${describe(value)}`);
    default:
  }
  size += 12;
  return value;
}

module.exports = { RawJson, rawJson, stringify, snapshot, takeSize, sizeSoFar };
