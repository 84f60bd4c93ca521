// What a handler gives back: emits, messages, failures and values that are already JSON.
// Plain data only; nothing here knows of a running component.
'use strict';

/** An emit with more to say than its values; made by `emit()`. */
class Emit {
  constructor(values, options) {
    this.values = values;
    this.stream = options?.stream ?? 'default';
    this.task = options?.task;
    this.anchors = options?.anchors;
  }
}

/** A message of a spout; made by `message()`. */
class Message {
  constructor(id, values, options) {
    this.id = id === undefined ? null : id;
    this.values = values;
    this.stream = options?.stream ?? 'default';
    this.task = options?.task;
  }
}

/** Thrown by a handler to fail its tuple with a reason, without a stack trace. */
class Fail extends Error {
  constructor(reason = 'failed') {
    super(String(reason));
    this.name = 'Fail';
  }
}

/** A mistake in how a component uses the SDK; its message says all there is to know. */
class UsageError extends Error {
  constructor(message) {
    super(message);
    this.name = 'UsageError';
  }
}

const emit = (values, options) => new Emit(values, options);
const message = (id, values, options) => new Message(id, values, options);

/** The values of one tuple, from what a handler gave: an array, or one bare value. */
function asValues(given) {
  if (Array.isArray(given)) return given;
  switch (typeof given) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
      return [given];
    default:
      throw new UsageError(
        `gave ${describe(given)}: a handler gives an array of values, emit(...) or one string or number`,
      );
  }
}

function describe(given) {
  if (given === null) return 'null';
  if (typeof given !== 'object') return `a ${typeof given}`;
  if (typeof given.then === 'function') return 'a promise (is an await missing?)';
  const name = given.constructor?.name;
  return name && name !== 'Object' ? `an object of class ${name}` : 'an object';
}

module.exports = { describe, Emit, Message, Fail, UsageError, emit, message, asValues };
