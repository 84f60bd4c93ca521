// Where a spout's messages come from: a generator, an async generator, or a function called for each `next`.
// `pull()` offers at most a little; a promise means that it is still at it.
'use strict';

const { Emit, Message } = require('./values.js');

/** Offers what one call of a spout's function returned. */
function offerResult(result, offer) {
  if (result === undefined || result === null) return;
  const isList = Array.isArray(result) && (result[0] instanceof Message || result[0] instanceof Emit);
  for (const one of isList ? result : [result]) offer(one);
}

class GeneratorFeed {
  #iterator;
  #offer;
  #end;

  constructor(iterator, offer, end) {
    this.#iterator = iterator;
    this.#offer = offer;
    this.#end = end;
  }

  /** An error ends a generator for good, so there is no going on after one. */
  isOverAfterError = true;

  pull() {
    const result = this.#iterator.next();
    if (typeof result.then === 'function') return result.then((later) => this.#take(later));
    return this.#take(result);
  }

  #take({ done, value }) {
    if (!done) this.#offer(value);
    else this.#end();
  }

  close() {
    return this.#iterator.return?.();
  }
}

class CallFeed {
  #next;
  #offer;

  constructor(next, offer) {
    this.#next = next;
    this.#offer = offer;
  }

  isOverAfterError = false;

  pull() {
    const next = this.#next;
    const result = next();
    if (typeof result?.then === 'function') return result.then((later) => offerResult(later, this.#offer));
    return offerResult(result, this.#offer);
  }

  close() {}
}

const isGenerator = (fn) => /Generator/.test(fn.constructor.name);

/** The feed of a spout function; generators are started here. */
function functionFeed(fn, context, offer, end) {
  if (isGenerator(fn)) return new GeneratorFeed(fn(context), offer, end);
  return new CallFeed(() => fn(context), offer);
}

module.exports = { CallFeed, functionFeed };
