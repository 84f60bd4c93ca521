// Runs a spout written for Storm's `storm.js`: each command to its method, which calls `done` when it has ended.
// Gives out nothing again by itself; that is the script's.
'use strict';

const { userTrace } = require('./declared.js');
const { snapshot, takeSize } = require('./encode.js');
const { Inbox } = require('./inbox.js');
const { once, orNeverMore } = require('./storm-link.js');
const { asValues } = require('./values.js');

/** How long one `next` may gather. */
const NEXT_MS = 5;

class StormSpoutLoop {
  #component;
  #isOpen = false;
  #isAnswering = false;
  #given = 0;
  #ending = null;
  /** Messages of the default stream that are not written yet. */
  #messages = [];

  constructor({ component, topology, declared, output, log }) {
    Object.assign(this, { topology, declared, output, log });
    this.#component = component;
    this.inbox = new Inbox(this, output.frames);
  }

  accept(text) {
    this.inbox.accept(text);
  }

  begin() {
    this.#isOpen = true;
    this.pump();
  }

  pump() {
    while (this.#isOpen && !this.#isAnswering && !this.inbox.isEmpty && !this.output.isFull) {
      const { message } = this.inbox.first;
      this.inbox.shift();
      if (message !== null) this.#command(message);
    }
    if (this.output.isFull) this.output.onDrain(() => this.pump());
    this.flush();
    if (!this.#isAnswering && this.inbox.isEmpty) this.#ending?.();
  }

  #command(message) {
    switch (message.command) {
      case 'next':
        this.#isAnswering = true;
        this.#next(message.max ?? 1, Date.now());
        break;
      case 'ack':
      case 'fail':
        for (const id of message.ids ?? [message.id]) this.#tell(message.command, id);
        break;
      case 'activate':
      case 'deactivate':
        this.#tell(message.command);
        break;
      default:
        this.log.warn(`unknown command from the engine: ${JSON.stringify(message)}`);
    }
  }

  /** Calls `nextTuple` until there is enough, nothing more, or no more time; then answers. */
  #next(wanted, since) {
    const before = this.#given;
    this.#call('nextTuple', [], () => {
      const given = this.#given - before;
      if (given > 0 && given < wanted && Date.now() - since < NEXT_MS) return this.#next(wanted - given, since);
      this.sendStorm({ command: 'sync' });
      this.#isAnswering = false;
      setImmediate(() => this.pump());
      return undefined;
    });
  }

  #tell(name, ...args) {
    this.#call(name, args, () => {
      if (!this.output.frames) this.sendStorm({ command: 'sync' });
      this.soon();
    });
  }

  /** Calls a method that calls back; its error is reported, and counts as its end. */
  #call(name, args, after) {
    const done = once(after);
    const failed = (error) => {
      this.reportError(error);
      done();
    };
    try {
      const result = this.#component[name](...args, () => done());
      if (typeof result?.then === 'function') result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  emitStorm(details) {
    const { tuple, id, stream = 'default', task } = this.#checked(details);
    if (stream === 'default' && task === undefined) this.#messages.push([id ?? null, tuple]);
    else this.sendStorm({ command: 'emit', tuple, stream, task, id, need_task_ids: false });
    this.soon();
  }

  emitAsking(details) {
    this.sendStorm({ command: 'emit', ...this.#checked(details) });
    this.output.flush();
    return this.inbox.taskIds.ask();
  }

  #checked({ tuple, id, stream, task }) {
    const values = asValues(tuple);
    this.declared.check(values, stream ?? 'default');
    this.#given++;
    const row = snapshot(values);
    takeSize();
    return { tuple: row, id: id ?? undefined, stream: stream ?? undefined, task: task ?? undefined };
  }

  /** A message, behind all that was emitted so far. */
  sendStorm(message) {
    if (this.#messages.length > 0) this.output.messages(this.#messages.splice(0));
    this.output.send(message);
  }

  flush() {
    if (this.#messages.length > 0) this.output.messages(this.#messages.splice(0));
    this.output.flush();
  }

  soon() {
    setImmediate(() => this.flush());
  }

  reportError(error) {
    this.output.note({ command: 'error', msg: error instanceof Error ? userTrace(error) : String(error) });
    this.soon();
  }

  finish() {
    const ended = orNeverMore(new Promise((resolve) => (this.#ending = resolve)));
    this.pump();
    return ended;
  }
}

module.exports = { StormSpoutLoop };
