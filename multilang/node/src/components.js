// The words a user writes: `bolt`, `batchBolt`, `spout` and the classes `Bolt`, `BatchBolt`, `Spout`.
// Marks what is exported so that the runner knows what it is; functions stay plain functions.
'use strict';

const { userPlace } = require('./declared.js');
const { milliseconds } = require('./timers.js');
const { UsageError } = require('./values.js');

// Registered symbols: two copies of the package in one process know each other's components.
const MARK = Symbol.for('galewire.component');
const LOOP = Symbol.for('galewire.loop');

function mark(kind, fn, options) {
  if (typeof fn !== 'function') throw new TypeError(`${kind}(...) takes a function, not ${typeof fn}`);
  if (fn[MARK]) throw new TypeError(`${fn.name || 'this function'} is a component already`);
  Object.defineProperty(fn, MARK, { value: { kind, options, place: userPlace(new Error().stack) } });
  return fn;
}

/** Makes a handler of single tuples a bolt. Returns the same function. */
const bolt = (fn, options = {}) => mark('bolt', fn, options);

/** Makes a handler of lists of tuples a bolt. Returns the same function. */
function batchBolt(options, fn) {
  if (typeof options === 'function') [options, fn] = [fn ?? {}, options];
  const { size, within } = options ?? {};
  return mark('batchBolt', fn, { ...options, ...batchLimits(size, within) });
}

/** Makes a (generator) function a spout. Returns the same function. */
const spout = (fn, options = {}) => mark('spout', fn, options);

/** Checks and fills in the limits of a batch; the time limit becomes milliseconds. */
function batchLimits(size = 100, within = '1s') {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`a batch's size is a whole number from 1, not ${size}`);
  return { size, within: milliseconds(within, "a batch's time limit") };
}

class Component {
  #loop() {
    const loop = this[LOOP];
    if (!loop) throw new Error(`${this.constructor.name} is not running yet; use open() for set-up`);
    return loop;
  }

  counter(name) { return this.#loop().metrics.counter(name); }
  gauge(name) { return this.#loop().metrics.gauge(name); }
  histogram(name) { return this.#loop().metrics.histogram(name); }
  reportError(error) { this.#loop().reportError(error); }
  emit(values, options) { this.#loop().emitInHand(values, options); }
  emitAndWait(values, options) { return this.#loop().emitInHandAndWait(values, options); }

  open() {}
  close() {}

  static attach(instance, loop) {
    instance[LOOP] = loop;
    instance.config = loop.topology.config;
    instance.context = loop.topology;
    instance.log = loop.log;
    return instance;
  }
}

class Bolt extends Component {
  static [MARK] = { kind: 'bolt' };

  ack(tuple) { this[LOOP].ack(tuple); }
  fail(tuple, reason) { this[LOOP].fail(tuple, reason); }
  after(delay, call) { return this[LOOP].timers.after(delay, call); }
  every(period, call) { return this[LOOP].timers.every(period, call); }
  touch(tuple) { this[LOOP].touch(tuple); }

  process() { throw new Error(`${this.constructor.name} has no process(tuple)`); }
  tick() {}
  drain() {}
  end() {}
}

class BatchBolt extends Bolt {
  static [MARK] = { kind: 'batchBolt' };
}

class Spout extends Component {
  static [MARK] = { kind: 'spout' };

  exhausted() { this[LOOP].exhausted(); }

  next() { throw new Error(`${this.constructor.name} has no next()`); }
  onAck() {}
  onFail() {}
  activate() {}
  deactivate() {}
}

/** Throws for a class without the method that everything is about. */
function mustHandle(made, kind) {
  const [name, base] = kind === 'spout' ? ['next', Spout] : ['process', Bolt];
  if (made.prototype[name] !== base.prototype[name]) return;
  const own = Object.getOwnPropertyNames(made.prototype).filter((key) => key !== 'constructor');
  const near = own.find((key) => !(key in base.prototype));
  const hint = near === undefined ? '' : `; is ${near} meant for it?`;
  const argument = { bolt: 'tuple', batchBolt: 'batch', spout: '' }[kind];
  throw new UsageError(`class ${made.name} has no ${name}(${argument})${hint}`);
}

/**
 * What an exported value is: `{ kind, options, place, isClass }`, or null where it is no component.
 * `kind` is `bolt`, `batchBolt` or `spout`.
 */
function describe(exported) {
  const marked = typeof exported === 'function' ? exported[MARK] : undefined;
  if (!marked) return null;
  if (Object.hasOwn(exported, MARK) && marked.options) return { ...marked, isClass: false };
  const { autoAck, size, within } = exported;
  const options = marked.kind === 'batchBolt' ? { autoAck, ...batchLimits(size, within) } : { autoAck };
  return { kind: marked.kind, options, place: null, isClass: true };
}

const attach = Component.attach;

module.exports = { mustHandle, bolt, batchBolt, spout, Bolt, BatchBolt, Spout, describe, attach };
