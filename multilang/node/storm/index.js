// Apache Storm's `storm.js`, for scripts that bring none of their own: the same constructors and callbacks, over
// batch frames where the engine offers them and Storm's messages where it does not. Importing it changes nothing;
// `run()` takes the pipes. What differs: an error in `process` fails its tuple, hooks may be left out, prints are log lines.
'use strict';

const { linkOf } = require('../src/storm-link.js');

// Plain functions, not classes: scripts call `BasicBolt.call(this)`.
function Storm() {}

Storm.prototype.logLevels = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 };

/** Runs the component until the engine ends the input. */
Storm.prototype.run = function () {
  linkOf(this).run(this instanceof Spout ? 'spout' : 'bolt');
};

/** Called once; `done()` when ready. */
Storm.prototype.initialize = function (conf, context, done) {
  done();
};

/**
 * Emits `{ tuple, stream, anchorTupleId, id }`; `onTaskIds(ids)` is called with the tasks it went to.
 * A callback that takes no argument is called too, but its ids are not asked for, which is faster.
 */
Storm.prototype.emit = function (details, onTaskIds) {
  if (details.task) throw new Error('emit() takes no task; use emitDirect()');
  if (!onTaskIds) throw new Error('emit() needs a callback that takes the task ids');
  linkOf(this).emit(details, onTaskIds);
};

/** Emits `{ tuple, task, ... }` to one task, on a direct stream. */
Storm.prototype.emitDirect = function (details) {
  if (!details.task) throw new Error('emitDirect() needs a task');
  linkOf(this).emit(details, null);
};

/** Any message of the protocol. An emit made by hand gets no task ids. */
Storm.prototype.sendMsgToParent = function (message) {
  linkOf(this).send(message);
};

Storm.prototype.sync = function () {
  this.sendMsgToParent({ command: 'sync' });
};

Storm.prototype.sendToLogging = function (args, level) {
  const words = Object.values(args).map((word) => (typeof word === 'string' ? word : JSON.stringify(word)));
  linkOf(this).log(words.join(' '), level);
};

for (const [name, level] of Object.entries(Storm.prototype.logLevels)) {
  Storm.prototype[`log${name[0].toUpperCase()}${name.slice(1)}`] = function (...args) {
    this.sendToLogging(args, level);
  };
}
Storm.prototype.log = Storm.prototype.logInfo;

/** One input of a bolt. */
function Tuple(id, component, stream, task, values) {
  this.id = id;
  this.component = component;
  this.stream = stream;
  this.task = task;
  this.values = values;
}

Tuple.prototype.isTickTuple = function () {
  return this.task === -1 && this.stream === '__tick';
};

Tuple.prototype.isHeartbeatTuple = function () {
  return this.task === -1 && this.stream === '__heartbeat';
};

/** A bolt: give it `process(tuple, done)`; `done()` acks the tuple and `done(error)` fails it. */
function BasicBolt() {
  Storm.call(this);
}

BasicBolt.prototype = Object.create(Storm.prototype, { constructor: { value: BasicBolt, writable: true, configurable: true } });

BasicBolt.prototype.process = function () {
  throw new Error(`${this.constructor.name} has no process(tuple, done)`);
};

BasicBolt.prototype.ack = function (tuple) {
  linkOf(this).ack(tuple);
};

BasicBolt.prototype.fail = function (tuple, error) {
  linkOf(this).fail(tuple, error);
};

/** A spout: give it `nextTuple(done)`, and `ack(id, done)` and `fail(id, done)` where it wants to know. */
function Spout() {
  Storm.call(this);
}

Spout.prototype = Object.create(Storm.prototype, { constructor: { value: Spout, writable: true, configurable: true } });

Spout.prototype.nextTuple = function () {
  throw new Error(`${this.constructor.name} has no nextTuple(done)`);
};

for (const name of ['activate', 'deactivate']) Spout.prototype[name] = (done) => done();
for (const name of ['ack', 'fail']) Spout.prototype[name] = (_id, done) => done();

module.exports = { Storm, BasicBolt, Spout, Tuple };
