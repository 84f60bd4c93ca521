// Runs a bolt that handles one tuple at a time: functions, generators, promises, async generators.
// Acks a tuple when its handler has ended, unless the bolt does that by hand.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');

const { BoltLoop } = require('./bolt-loop.js');
const { Context } = require('./context.js');
const { Tuple } = require('./tuple.js');
const { Emit, UsageError } = require('./values.js');

const isAsyncFunction = (fn) => /^Async/.test(fn.constructor.name);

class TupleLoop extends BoltLoop {
  #work;
  #autoAck;
  /** Knows the tuple in hand of asynchronous class bolts; null where `answers.current` is enough. */
  #inHandOf = null;
  #isClass;

  constructor({ work, autoAck = true, isClass, ...rest }) {
    super(rest);
    this.#work = work;
    this.#autoAck = autoAck;
    this.#isClass = isClass;
    if (isClass && isAsyncFunction(work)) this.#inHandOf = new AsyncLocalStorage();
  }

  tupleInHand() {
    return this.answers.current ?? this.#inHandOf?.getStore() ?? null;
  }

  /** Hooks and timers have no tuple in hand, although an ended handler may have led to them. */
  alone(...call) {
    if (this.#inHandOf === null) super.alone(...call);
    else this.#inHandOf.run(null, () => super.alone(...call));
  }

  start(tuple) {
    if (this.#inHandOf === null) this.#start(tuple);
    else this.#inHandOf.run(tuple, () => this.#start(tuple));
  }

  #start(tuple) {
    const answers = this.answers;
    const work = this.#work;
    answers.current = tuple;
    try {
      const result = work(Tuple.sourceOf(tuple).view(tuple), new Context(this, tuple));
      if (typeof result === 'object' && result !== null && !Array.isArray(result) && !(result instanceof Emit)) {
        if (typeof result[Symbol.iterator] === 'function') this.#giveAll(tuple, result);
        else if (typeof result.then === 'function') return this.#follow(tuple, result, true);
        else if (typeof result[Symbol.asyncIterator] === 'function') return this.#follow(tuple, this.#giveLater(tuple, result), false);
        else answers.give(tuple, result);
      } else if (result !== undefined) this.#giveResult(tuple, result);
    } catch (error) {
      answers.current = null;
      return this.failed(tuple, error, Tuple.isOpen(tuple));
    }
    answers.current = null;
    this.#ended(tuple);
  }

  #giveAll(tuple, results) {
    const answers = this.answers;
    for (const given of results) answers.give(tuple, given);
  }

  /** What a handler returned: the values of one tuple, or a list of emits. */
  #giveResult(tuple, result) {
    if (Array.isArray(result) && result[0] instanceof Emit) return this.#giveAll(tuple, result);
    try {
      this.answers.give(tuple, result);
    } catch (error) {
      if (error instanceof UsageError && Array.isArray(result) && result.length > 1) {
        const [was, hint] = [error.message, 'a returned array is the values of one tuple: yield each to emit several'];
        error.message = `${was}; ${hint}`;
        error.stack = error.stack.replace(was, error.message);
      }
      throw error;
    }
  }

  async #giveLater(tuple, results) {
    for await (const given of results) {
      this.answers.give(tuple, given);
      if (this.output.isFull) await new Promise((resume) => this.output.onDrain(resume));
    }
  }

  /** Waits for an asynchronous handler while others run. */
  #follow(tuple, promise, isPlain) {
    const answers = this.answers;
    // A class whose plain function gives a promise is a surprise once: this tuple then runs alone.
    const isAlone = isPlain && this.#isClass && this.#inHandOf === null;
    if (isAlone) this.isHeld = true;
    else answers.current = null;
    this.inHand++;
    promise
      .then((result) => this.#giveResolved(tuple, result))
      .then(
        () => this.#ended(tuple),
        (error) => this.failed(tuple, error, Tuple.isOpen(tuple)),
      )
      .catch((error) => this.reportError(error))
      .finally(() => {
        if (isAlone) {
          answers.current = null;
          this.#inHandOf = new AsyncLocalStorage();
          this.isHeld = false;
        }
        this.inHand--;
        this.soon();
      });
  }

  #giveResolved(tuple, result) {
    if (typeof result !== 'object' || result === null || Array.isArray(result) || result instanceof Emit) {
      return this.#giveResult(tuple, result);
    }
    if (typeof result[Symbol.asyncIterator] === 'function') return this.#giveLater(tuple, result);
    if (typeof result[Symbol.iterator] === 'function') return this.#giveAll(tuple, result);
    return this.answers.give(tuple, result);
  }

  #ended(tuple) {
    if (!Tuple.isOpen(tuple)) return;
    if (this.#autoAck) this.answers.done(tuple);
    else this.answers.spill(tuple);
  }
}

module.exports = { TupleLoop };
