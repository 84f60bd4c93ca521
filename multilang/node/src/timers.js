// Timers of a bolt: calls that are due later, once or again and again. They end with the input.
// When a call may run, and what its errors come to, is the loop's matter.
'use strict';

const UNITS = { ms: 1, s: 1000, m: 60_000 };

/** Milliseconds of a time as users write it, more than nothing unless `least` is 0; `what` stands in the error. */
function milliseconds(time, what, least = Number.MIN_VALUE) {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m)$/.exec(time);
  const ms = typeof time === 'number' ? time : match ? Number(match[1]) * UNITS[match[2]] : NaN;
  if (!(ms >= least && ms < 2 ** 31)) throw new RangeError(`${what} is milliseconds or like "1s" or "200ms", not ${time}`);
  return ms;
}

/** A call that is due later; `cancel()` takes it back. */
class Timer {
  #stop;
  constructor(stop) { this.#stop = stop; }
  cancel() { this.#stop(); }
}

class Timers {
  #run;
  #stops = new Set();

  /** `run(call)` calls a function that belongs to no tuple. */
  constructor(run) {
    this.#run = run;
  }

  /** Calls `call` once, `delay` from now. */
  after(delay, call) {
    const handle = setTimeout(() => {
      this.#stops.delete(stop);
      this.#run(call);
    }, milliseconds(delay, 'a delay', 0));
    const stop = this.#remember(() => clearTimeout(handle));
    return new Timer(stop);
  }

  /** Calls `call` again and again. */
  every(period, call) {
    const handle = setInterval(() => this.#run(call), milliseconds(period, 'a period'));
    const stop = this.#remember(() => clearInterval(handle));
    return new Timer(stop);
  }

  #remember(clear) {
    const stop = () => {
      clear();
      this.#stops.delete(stop);
    };
    this.#stops.add(stop);
    return stop;
  }

  /** Takes all of them back. */
  cancelAll() {
    for (const stop of this.#stops) stop();
  }
}

module.exports = { Timers, milliseconds };
