// Runs a bolt that handles lists of tuples: collects until the list is long enough or old enough.
// One list is in work at a time; each tuple may be settled alone, the rest is acked or failed together.
'use strict';

const { BoltLoop } = require('./bolt-loop.js');
const { Context } = require('./context.js');
const { Tuple } = require('./tuple.js');
const { Emit } = require('./values.js');

class BatchLoop extends BoltLoop {
  #work;
  #autoAck;
  #size;
  #within;
  #batch = [];
  #timer = null;
  #inWork = null;

  constructor({ work, options, ...rest }) {
    super(rest);
    this.#work = work;
    this.#autoAck = options.autoAck ?? true;
    this.#size = options.size;
    this.#within = options.within;
  }

  /** Class bolts emit for the batch in work. */
  tupleInHand() {
    return this.#open();
  }

  #open() {
    return this.#inWork?.filter((tuple) => Tuple.isOpen(tuple)) ?? null;
  }

  isHandFull() {
    return this.#inWork !== null && this.#batch.length >= this.#size;
  }

  start(tuple) {
    this.#batch.push(tuple);
    if (this.#batch.length >= this.#size) this.#handle();
    else this.#timer ??= setTimeout(() => this.#timedOut(), this.#within);
  }

  #timedOut() {
    this.#timer = null;
    this.#handle();
    this.soon();
  }

  hurry() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#handle();
  }

  idle() {
    if (this.isDrained) this.giveUpHeld();
  }

  giveUpHeld() {
    while (this.#batch.length > 0 && this.#inWork === null) this.#handle();
  }

  /** Hands the collected list to the handler, unless one is in work; then it goes when that ends. */
  #handle() {
    if (this.#inWork !== null || this.#batch.length === 0) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    const batch = this.#batch;
    this.#batch = [];
    this.#inWork = batch;
    const work = this.#work;
    let result;
    try {
      result = work(batch.map((tuple) => Tuple.sourceOf(tuple).view(tuple)), new Context(this, batch));
    } catch (error) {
      return this.#failed(error);
    }
    const isLater = typeof result?.then === 'function' || typeof result?.[Symbol.asyncIterator] === 'function';
    if (!isLater) return this.#give(result);
    this.inHand++;
    this.#giveLater(result)
      .then(
        (value) => this.#give(value),
        (error) => this.#failed(error),
      )
      .catch((error) => this.reportError(error))
      .finally(() => {
        this.inHand--;
        this.#next();
        this.soon();
      });
  }

  async #giveLater(result) {
    if (typeof result.then === 'function') return result;
    for await (const given of result) this.answers.give(this.#open(), given);
    return undefined;
  }

  #give(result) {
    try {
      const isMany = typeof result === 'object' && result !== null && !(result instanceof Emit)
        && typeof result[Symbol.iterator] === 'function' && (!Array.isArray(result) || result[0] instanceof Emit);
      for (const given of isMany ? result : [result]) this.answers.give(this.#open(), given);
    } catch (error) {
      return this.#failed(error);
    }
    if (this.#autoAck) for (const tuple of this.#open()) this.answers.done(tuple);
    this.#inWork = null;
  }

  #failed(error) {
    const open = this.#open();
    if (open.length === 0) this.reportError(error);
    for (const tuple of open) this.answers.fail(tuple, error);
    this.#inWork = null;
  }

  /** After an asynchronous list: the next one may be due already. */
  #next() {
    if (this.#batch.length >= this.#size || (this.#batch.length > 0 && this.#timer === null)) this.#handle();
  }
}

module.exports = { BatchLoop };
