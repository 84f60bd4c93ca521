// Counters, gauges and histograms, summed up here and sent a few times a second.
// Never sends on its own when nothing changed.
'use strict';

const PERIOD_MS = 100;
const HISTOGRAM_VALUES = 4096;

class Counter {
  sum = 0;
  constructor(touched) { this.touched = touched; }
  add(n = 1) {
    this.sum += n;
    this.touched();
  }
  take() {
    const add = this.sum;
    this.sum = 0;
    return add === 0 ? null : { type: 'counter', add };
  }
}

class Gauge {
  value = null;
  constructor(touched) { this.touched = touched; }
  set(value) {
    this.value = value;
    this.touched();
  }
  take() {
    const value = this.value;
    this.value = null;
    return value === null ? null : { type: 'gauge', value };
  }
}

class Histogram {
  values = [];
  constructor(touched, full) {
    this.touched = touched;
    this.full = full;
  }
  add(value) {
    this.values.push(value);
    if (this.values.length >= HISTOGRAM_VALUES) this.full();
    else this.touched();
  }
  take() {
    const values = this.values;
    this.values = [];
    return values.length === 0 ? null : { type: 'histogram', values };
  }
}

class Metrics {
  #known = new Map();
  #timer = null;
  #send;
  #later = () => this.#schedule();
  #now = () => this.flush();

  /** `send(name, params)` takes one metrics message. */
  constructor(send) {
    this.#send = send;
    this.counter = (name) => this.#get(Counter, name);
    this.gauge = (name) => this.#get(Gauge, name);
    this.histogram = (name) => this.#get(Histogram, name);
  }

  #get(Kind, name) {
    let metric = this.#known.get(name);
    if (metric === undefined) {
      metric = new Kind(this.#later, this.#now);
      this.#known.set(name, metric);
    }
    if (!(metric instanceof Kind)) {
      throw new TypeError(`the metric ${JSON.stringify(name)} is a ${metric.constructor.name.toLowerCase()} already`);
    }
    return metric;
  }

  #schedule() {
    this.#timer ??= setTimeout(() => this.flush(), PERIOD_MS).unref();
  }

  /** Sends what changed since the last time. */
  flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    for (const [name, metric] of this.#known) {
      const params = metric.take();
      if (params !== null) this.#send(name, params);
    }
  }
}

module.exports = { Metrics };
