// Runs a bolt: takes its input in order, starts handlers, answers the engine's commands, decides when to send.
// Gives the event loop its turn; never waits for a handler that is asynchronous.
'use strict';

const { Answers, HOLD } = require('./answers.js');
const { Inbox } = require('./inbox.js');
const { Context } = require('./context.js');
const { reason, userTrace } = require('./declared.js');
const { Timers } = require('./timers.js');

/** How old the oldest answer may become. */
const ANSWER_MS = 5;
/** How long synchronous handlers may keep the event loop. */
const SLICE_MS = 50;
/** Characters of input that may wait here before reading pauses. */
const INPUT = 256 * 1024;

class BoltLoop {
  #pumping = false;
  #wanted = false;
  #timer = null;
  #sliceEnd = 0;
  #waitsForRoom = false;
  #pending = [];
  #ending = null;
  /** Handlers and hooks that have not ended. */
  inHand = 0;
  /** True while nothing new may be started. */
  isHeld = true;

  constructor({ topology, declared, output, log, metrics, hooks, limit, flow }) {
    Object.assign(this, { topology, declared, output, log, metrics, hooks, limit, flow });
    this.answers = new Answers(output, declared, () => this.soon());
    this.inbox = new Inbox(this, output.frames);
    this.timers = new Timers((call) => this.alone(() => call(new Context(this, null))));
  }

  /** Takes one frame from the engine; `pump` starts the work. */
  accept(text) {
    this.inbox.accept(text);
  }

  /** Does all that can be done now. */
  pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#sliceEnd = Date.now() + SLICE_MS;
    let isOver = false;
    while (!isOver && !this.isStopped) {
      const entry = this.inbox.first;
      if (entry === undefined) break;
      if (entry.part !== null) {
        if (this.isHandFull()) break;
        isOver = this.#run(entry.part);
        if (entry.part.next < entry.part.tuples.length) continue;
        this.inbox.shift();
        if (entry.part.isAlone) this.hurry();
      } else {
        this.inbox.shift();
        this.#command(entry.message);
      }
    }
    this.#pumping = false;
    this.#rest(isOver);
  }

  /** Starts tuples of a part until it is done or something stops it. True: the event loop is due its turn. */
  #run(part) {
    const end = part.tuples.length;
    while (part.next < end) {
      this.start(part.take());
      if (this.output.held > HOLD) this.answers.flush();
      const now = Date.now();
      if (now - this.output.oldest >= ANSWER_MS && this.output.held > 0) this.answers.flush();
      if (now >= this.#sliceEnd) return true;
      if (this.isStopped || this.isHandFull()) return false;
    }
    return false;
  }

  /** Must everything wait, commands too? */
  get isStopped() {
    return this.isHeld || this.output.isFull;
  }

  /** Must tuples wait until others have ended? */
  isHandFull() {
    return this.inHand >= this.limit;
  }

  /** After a run of the loop: send, go on later, or wait for more. */
  #rest(isOver) {
    if (this.inbox.isEmpty) {
      this.idle();
      this.answers.flush();
    } else this.#sendLater();
    if (isOver) setImmediate(() => this.pump());
    if (this.output.isFull && !this.#waitsForRoom) {
      this.#waitsForRoom = true;
      this.output.onDrain(() => {
        this.#waitsForRoom = false;
        this.pump();
      });
    }
    this.flow(this.inbox.chars < INPUT || this.inbox.taskIds.isAwaited);
    this.#settle();
  }

  #sendLater() {
    if (this.output.held === 0 && !this.inbox.taskIds.isAwaited) return;
    if (this.inbox.taskIds.isAwaited) this.answers.flush();
    else this.#timer ??= setTimeout(() => this.#timedOut(), ANSWER_MS);
  }

  #timedOut() {
    this.#timer = null;
    this.answers.flush();
  }

  /** Something was said outside of `pump`: sends it when the event loop has done what is due now. */
  soon() {
    if (this.#pumping || this.#wanted) return;
    this.#wanted = true;
    setImmediate(() => {
      this.#wanted = false;
      this.pump();
    });
  }

  /** Nothing comes beside what was just started; overridden by loops that hold tuples. */
  hurry() {}

  /** The input is used up; overridden by loops that hold tuples. */
  idle() {}

  /** Gives up what is held before the loop counts as finished; overridden by loops that hold tuples. */
  giveUpHeld() {}

  #command(message) {
    if (message.stream === '__heartbeat') this.output.send({ command: 'sync' });
    else if (message.stream === '__tick') this.hook('tick', message.tuple[0]);
    else if (message.command === 'drain' || message.command === 'end') this.#pending.push(message);
    else this.log.warn(`unknown command from the engine: ${JSON.stringify(message)}`);
  }

  /** Answers `drain` and `end`, and the end of the input, when nothing is in hand any more. */
  #settle() {
    if (this.isHeld) return;
    if (this.#pending.length > 0 || (this.#ending !== null && this.inbox.isEmpty)) this.giveUpHeld();
    if (this.inHand > 0) return;
    const message = this.#pending.shift();
    if (message !== undefined) {
      const answer = { command: message.command === 'drain' ? 'drained' : 'ended', id: message.id };
      if (message.command === 'drain') this.isDrained = true;
      this.hook(message.command, undefined, () => {
        this.output.send(answer);
        this.soon();
      });
      return;
    }
    if (this.#ending !== null && this.inbox.isEmpty) {
      this.timers.cancelAll();
      this.#ending();
    }
  }

  /** Calls a hook of a component's class. */
  hook(name, argument, after) {
    this.alone(() => this.hooks[name]?.(argument), after);
  }

  /** Calls what belongs to no tuple; it may be asynchronous, and its errors are only reported. */
  alone(call, after = () => {}) {
    const failed = (error) => this.reportError(error);
    let result;
    try {
      result = call();
    } catch (error) {
      failed(error);
    }
    if (typeof result?.then !== 'function') return after();
    this.inHand++;
    result.then(undefined, failed).then(() => {
      this.inHand--;
      after();
      this.soon();
    });
  }

  /** Begins to take input. */
  begin() {
    this.isHeld = false;
    this.pump();
  }

  /** Finishes what has come; resolves when all of it is answered. */
  finish() {
    return new Promise((resolve) => {
      this.#ending = resolve;
      this.pump();
    });
  }

  reportError(error) {
    this.output.note({ command: 'error', msg: error instanceof Error ? userTrace(error) : String(error) });
    this.soon();
  }

  /** Fails a tuple for an error of its handler; one that is settled already gets an error report instead. */
  failed(tuple, error, isOpen) {
    if (isOpen) this.answers.fail(tuple, error);
    else this.reportError(error instanceof Error ? error : new Error(reason(error)));
  }

  knowsInput(field) { return this.topology.knowsInput(field); }
  usageError(what) { return this.declared.error(what); }

  ack(tuple) { this.answers.ack(tuple); }
  fail(tuple, why) { this.answers.fail(tuple, why); }
  touch(tuple) { this.answers.touch(tuple); }
  emit(inHand, values, options) { this.answers.emit(inHand, values, options); }

  emitAndWait(inHand, values, options) {
    this.answers.emitAsking(inHand, values, options);
    if (options?.task !== undefined && options.task !== null) return Promise.resolve([options.task]);
    const ids = this.inbox.taskIds.ask();
    this.flow(true);
    this.soon();
    return ids;
  }

  emitInHand(values, options) { this.emit(this.tupleInHand(), values, options); }
  emitInHandAndWait(values, options) { return this.emitAndWait(this.tupleInHand(), values, options); }
}

module.exports = { BoltLoop };
