// Emits, acks and fails of tuples: what may be said about which tuple, and in which order.
// Holds a tuple's emits until it is settled, so that the common case travels in the compact form.
'use strict';

const { snapshot, sizeSoFar, takeSize } = require('./encode.js');
const { reason, userTrace } = require('./declared.js');
const { ACKED, FAILED, Tuple, plain } = require('./tuple.js');
const { Emit, Fail, UsageError, asValues } = require('./values.js');

/** Characters held before they are sent. */
const HOLD = 64 * 1024;
/** Bytes that may wait for the engine while a handler that cannot be paused goes on. */
const BACKLOG = 1024 * 1024;

class Answers {
  /** Tuples in hand of asynchronous handlers that hold emits. */
  #holders = new Set();

  /** `changed()` is called when something waits to be sent that no loop is about to send. */
  constructor(output, declared, changed) {
    this.output = output;
    this.declared = declared;
    this.changed = changed;
    /** The tuple of the synchronous handler that runs now. */
    this.current = null;
  }

  /** One thing that a handler returned or yielded. */
  give(inHand, given) {
    if (given === undefined || given === null) return;
    if (given instanceof Emit) this.emit(inHand, given.values, given);
    else if (Array.isArray(inHand) || inHand === null) this.emit(inHand, given);
    else this.#hold(inHand, 'default', this.#placed(asValues, given));
  }

  /** `inHand`: the tuple, the batch or null, that the emit is anchored to unless `options.anchors` says otherwise. */
  emit(inHand, values, options) {
    const stream = options?.stream ?? 'default';
    const task = options?.task;
    const anchors = options?.anchors;
    values = this.#placed(asValues, values);
    if (anchors === undefined && (task === undefined || task === null) && Tuple.is(inHand)) this.#hold(inHand, stream, values);
    else this.#emitStorm(inHand, stream, values, task, anchors, false);
  }

  /** The same, asking for the ids of the tasks that it went to. */
  emitAsking(inHand, values, options) {
    this.#emitStorm(inHand, options?.stream ?? 'default', this.#placed(asValues, values), options?.task, options?.anchors, true);
  }

  /** Calls `make`; a mistake that it finds is worded with the component and the line. */
  #placed(make, given) {
    try {
      return make(given);
    } catch (error) {
      throw error instanceof UsageError ? this.declared.error(error.message) : error;
    }
  }

  #emitStorm(inHand, stream, values, task, anchors, asking) {
    this.declared.check(values, stream);
    const ids = this.#anchorIds(inHand, anchors);
    if (Tuple.is(inHand)) this.spill(inHand);
    const message = { command: 'emit', tuple: this.#placed(snapshot, values), stream, anchors: ids };
    if (task !== undefined && task !== null) message.task = task;
    if (!asking) message.need_task_ids = false;
    this.output.send(message);
    takeSize();
    this.#sent();
  }

  #anchorIds(inHand, anchors) {
    if (anchors === undefined && Array.isArray(inHand)) anchors = inHand.filter((tuple) => Tuple.isOpen(tuple));
    const given = anchors ?? inHand ?? [];
    return (Array.isArray(given) ? given : [given]).map((anchor) => {
      if (typeof anchor === 'string') return anchor;
      const tuple = plain(anchor);
      this.#mustBeOpen(tuple, 'emit');
      return String(Tuple.wireId(tuple));
    });
  }

  #hold(tuple, stream, values) {
    this.declared.check(values, stream);
    if (!Tuple.isOpen(tuple)) this.#mustBeOpen(tuple, 'emit');
    const row = this.#placed(snapshot, values);
    if (Tuple.rowStream(tuple) !== stream) {
      this.spill(tuple);
      Tuple.setRowStream(tuple, stream);
    }
    Tuple.rowsOf(tuple).push(row);
    if (sizeSoFar() > HOLD) this.#overflow(tuple);
    else if (tuple !== this.current) {
      this.#holders.add(tuple);
      this.changed();
    }
  }

  #overflow(tuple) {
    this.spill(tuple);
    this.#sent();
  }

  /** Sends early while a synchronous handler makes a lot of output; it cannot be paused, so this blocks. */
  #sent() {
    if (this.output.held > HOLD) {
      if (this.output.isFull) this.output.flushSync(BACKLOG / 2);
      else this.output.flush();
    }
    this.changed();
  }

  /** Writes out the emits that a tuple holds; the tuple stays open. */
  spill(tuple) {
    const rows = Tuple.takeRows(tuple);
    if (rows.length === 0) return;
    this.output.emits(Tuple.wireId(tuple), Tuple.rowStream(tuple), rows);
    takeSize();
  }

  ack(given) {
    const tuple = plain(given);
    this.#mustBeOpen(tuple, 'ack');
    this.done(tuple);
    this.changed();
  }

  /** Acks an open tuple. */
  done(tuple) {
    if (Tuple.rowStream(tuple) !== 'default') this.spill(tuple);
    Tuple.settle(tuple, ACKED);
    this.output.done(Tuple.wireId(tuple), Tuple.takeRows(tuple));
    if (this.#holders.size > 0) this.#holders.delete(tuple);
    takeSize();
  }

  /** Fails a tuple; the reason is text, a `Fail`, or any error, whose trace is sent along. */
  fail(given, why) {
    const tuple = plain(given);
    this.#mustBeOpen(tuple, 'fail');
    this.spill(tuple);
    Tuple.settle(tuple, FAILED);
    this.#holders.delete(tuple);
    const message = { command: 'fail', id: String(Tuple.wireId(tuple)) };
    if (why !== undefined && why !== null) message.msg = reason(why);
    if (why instanceof Error && !(why instanceof Fail) && why.name !== 'Fail') message.trace = userTrace(why);
    this.output.send(message);
    this.changed();
  }

  touch(given) {
    const tuple = plain(given);
    this.#mustBeOpen(tuple, 'touch');
    this.output.send({ command: 'reset_timeout', id: String(Tuple.wireId(tuple)) });
    this.changed();
  }

  #mustBeOpen(tuple, verb) {
    if (Tuple.isOpen(tuple)) return;
    const place = Tuple.sourceOf(tuple).name;
    throw new UsageError(`cannot ${verb}: tuple ${Tuple.wireId(tuple)} of ${place} was ${Tuple.stateName(tuple)} already`);
  }

  /** Everything said so far, to the engine. */
  flush() {
    for (const tuple of this.#holders) this.spill(tuple);
    this.#holders.clear();
    this.output.flush();
  }
}

module.exports = { Answers, HOLD };
