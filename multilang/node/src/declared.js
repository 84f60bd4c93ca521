// Holds emits against the declared output streams and words the mistakes.
// Names the component, the declared fields and the place in the user's code.
'use strict';

const path = require('node:path');
const { fileURLToPath } = require('node:url');
const { inspect } = require('node:util');

const { UsageError } = require('./values.js');

const HOME = path.dirname(__dirname) + path.sep;
const FRAME = /^\s+at (?:.*\()?((?:file:\/\/)?\/[^()]*):(\d+):\d+\)?$/;

/** `file:line` of the innermost frame of a stack that is neither Node's nor the SDK's; null where there is none. */
function userPlace(stack) {
  for (const line of String(stack).split('\n').slice(1)) {
    const match = FRAME.exec(line);
    if (!match) continue;
    const file = match[1].startsWith('file:') ? fileURLToPath(match[1]) : match[1];
    if (!ownFile(file)) return `${file}:${match[2]}`;
  }
  return null;
}

/** Is this a source file of the SDK itself? */
function ownFile(file) {
  if (!file.startsWith(HOME)) return false;
  const rest = file.slice(HOME.length);
  return /^(src|storm)[\\/]/.test(rest) || !rest.includes(path.sep) && /^(index|testkit|run)\./.test(rest);
}

/** A stack trace without the SDK's own frames. */
function userTrace(error) {
  const lines = String(error.stack ?? error).split('\n');
  const kept = lines.filter((line) => {
    const match = FRAME.exec(line);
    if (!match) return !/^\s+at .*(\(?node:|<anonymous>\)$)/.test(line);
    return !ownFile(match[1].startsWith('file:') ? fileURLToPath(match[1]) : match[1]);
  });
  return kept.join('\n');
}

/** Why it failed, on one line. */
function reason(error) {
  if (!(error instanceof Error)) return oneLine(String(error));
  const named = error.name === 'Fail' || error.name === 'UsageError' ? error.message : `${error.name}: ${error.message}`;
  return oneLine(named);
}

const oneLine = (text) => text.replace(/\s*\n\s*/g, ' ');

class Declared {
  /** `outputs` is stream to fields, or null where nothing is declared and nothing is checked. */
  constructor(component, outputs, handlerPlace) {
    this.component = component;
    this.outputs = outputs === null ? null : new Map(Object.entries(outputs));
    this.handlerPlace = handlerPlace ?? null;
  }

  /** How many values a stream carries, or -1 where that is not known. */
  width(stream) {
    return this.outputs?.get(stream)?.length ?? -1;
  }

  check(values, stream) {
    if (this.outputs === null) return;
    const fields = this.outputs.get(stream);
    if (fields === undefined) throw this.error(this.#unknownStream(stream));
    if (fields.length === values.length) return;
    throw this.error(
      `emitted ${count(values.length, 'value')} on stream "${stream}", which declares ` +
        `${count(fields.length, 'field')}${fields.length ? `: ${fields.join(', ')}` : ''}; the values were ${shown(values)}`,
    );
  }

  #unknownStream(stream) {
    const names = [...this.outputs.keys()];
    if (names.length === 0) return `emitted on stream "${stream}", but declares no outputs`;
    const all = names.map((name) => `${name} (${this.outputs.get(name).join(', ')})`).join('; ');
    return `emitted on stream "${stream}", which it does not declare; its streams are ${all}`;
  }

  /** A mistake of user code, as an error that names the component and the place. */
  error(what) {
    const error = new UsageError('');
    const place = userPlace(error.stack) ?? this.handlerPlace;
    error.message = `component "${this.component}" ${what}${place ? ` (${place})` : ''}`;
    error.stack = `${error.name}: ${error.message}\n${error.stack.split('\n').slice(1).join('\n')}`;
    return error;
  }
}

const count = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;

function shown(values) {
  const text = inspect(values, { breakLength: Infinity, depth: 1 });
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

module.exports = { Declared, userPlace, userTrace, reason };
