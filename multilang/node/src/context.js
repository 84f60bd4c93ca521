// The second argument of handlers. Every part of it may be taken by destructuring.
// Knows the tuple in hand, so emits are anchored rightly however many are in hand at once.
'use strict';

class Context {
  #loop;
  #inHand;

  /** `inHand` is a tuple, a list of tuples (a batch) or null. */
  constructor(loop, inHand) {
    this.#loop = loop;
    this.#inHand = inHand;
  }

  get config() { return this.#loop.topology.config; }
  get context() { return this.#loop.topology; }
  get component() { return this.#loop.topology.component; }
  get task() { return this.#loop.topology.task; }
  get log() { return this.#loop.log; }
  get counter() { return this.#loop.metrics.counter; }
  get gauge() { return this.#loop.metrics.gauge; }
  get histogram() { return this.#loop.metrics.histogram; }
  get tuple() { return this.#inHand; }

  get emit() { return (values, options) => this.#loop.emit(this.#inHand, values, options); }
  get emitAndWait() { return (values, options) => this.#loop.emitAndWait(this.#inHand, values, options); }
  get reportError() { return (error) => this.#loop.reportError(error); }
  get ack() { return (tuple = this.#inHand) => this.#loop.ack(tuple); }
  get fail() {
    return (...args) => {
      const [tuple, reason] = args.length > 1 || typeof args[0] === 'object' ? args : [this.#inHand, args[0]];
      this.#loop.fail(tuple, reason);
    };
  }
  get touch() { return (tuple = this.#inHand) => this.#loop.touch(tuple); }
  get after() { return (delay, call) => this.#loop.timers.after(delay, call); }
  get every() { return (period, call) => this.#loop.timers.every(period, call); }
  get exhausted() { return () => this.#loop.exhausted(); }
}

module.exports = { Context };
