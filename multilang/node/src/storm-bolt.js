// Runs a bolt written for Storm's `storm.js`: every tuple to `process(tuple, done)`, as soon as it is there.
// Holds back nothing: such a bolt may keep as many tuples open as it likes, and marks do not wait for them.
'use strict';

const { BoltLoop } = require('./bolt-loop.js');
const { once, orNeverMore } = require('./storm-link.js');
const { Tuple } = require('./tuple.js');

class StormBoltLoop extends BoltLoop {
  #component;
  /** Tuples that are neither acked nor failed, by their id. */
  #open = new Map();
  #allSettled = null;

  constructor({ component, ...parts }) {
    super({ ...parts, metrics: null, limit: Infinity, hooks: { tick: (seconds) => this.#tick(seconds) } });
    this.#component = component;
  }

  start(inner) {
    const id = String(Tuple.wireId(inner));
    const { component, stream, task } = Tuple.sourceOf(inner);
    this.#open.set(id, inner);
    const done = once((error) => (error ? this.#component.fail(tuple, error) : this.#component.ack(tuple)));
    const tuple = stormTuple(id, component, stream, task, Tuple.valuesOf(inner));
    const failed = (error) => {
      this.#open.delete(id);
      this.failed(inner, error, Tuple.isOpen(inner));
      this.#settled();
    };
    try {
      const result = this.#component.process(tuple, done);
      if (typeof result?.then === 'function') result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Ticks are tuples to such a bolt. They are not acked, and without an id nothing is anchored to them. */
  #tick(seconds) {
    return this.#component.process(stormTuple('', '__system', '__tick', -1, [seconds]), () => {});
  }

  ackById(id) {
    const inner = this.#take(id);
    if (inner !== undefined) this.ack(inner);
    this.#settled();
  }

  failById(id, error) {
    const inner = this.#take(id);
    if (inner !== undefined) this.fail(inner, error);
    this.#settled();
  }

  #take(id) {
    const inner = this.#open.get(id);
    this.#open.delete(id);
    if (inner === undefined && id !== '') this.log.warn(`tuple ${id} was acked or failed already`);
    return inner;
  }

  emitStorm(details) {
    this.emit(...this.#shaped(details));
  }

  emitAsking(details) {
    return this.emitAndWait(...this.#shaped(details));
  }

  /** An emit anchored to one open tuple alone is packed with it. */
  #shaped({ tuple, stream, task, anchorTupleId }) {
    const anchors = (Array.isArray(anchorTupleId) ? anchorTupleId : [anchorTupleId]).filter(Boolean).map(String);
    const inner = anchors.length === 1 ? this.#open.get(anchors[0]) : undefined;
    const options = { stream: stream ?? undefined, task };
    return inner === undefined ? [null, tuple, { ...options, anchors }] : [inner, tuple, options];
  }

  /** A message of the script's own; one that settles a tuple is known as such. */
  sendStorm(message) {
    if (message.command === 'ack') this.ackById(message.id);
    else if (message.command === 'fail') this.failById(message.id, message.msg);
    else {
      this.answers.flush();
      this.output.send(message);
    }
  }

  flush() {
    this.answers.flush();
  }

  #settled() {
    if (this.#open.size === 0) this.#allSettled?.();
  }

  async finish() {
    await super.finish();
    if (this.#open.size === 0 || this.inbox.isClosed) return;
    await orNeverMore(new Promise((resolve) => (this.#allSettled = resolve)));
  }
}

/** The tuple as scripts know it. */
function stormTuple(...parts) {
  const { Tuple: StormTuple } = require('../storm/index.js');
  return new StormTuple(...parts);
}

module.exports = { StormBoltLoop };
