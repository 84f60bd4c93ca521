// Runs a spout: answers `next` with what there is, tells it of acks and fails.
// Never waits long for a message: what comes late is kept for the next `next`.
'use strict';

const { Inbox } = require('./inbox.js');
const { snapshot } = require('./encode.js');
const { userTrace } = require('./declared.js');
const { Emit, Message, asValues } = require('./values.js');

/** How long one `next` may gather or wait. */
const NEXT_MS = 5;

class SpoutLoop {
  #ready = [];
  #pulling = false;
  #asked = null;
  #timer = null;
  #since = 0;
  #isExhausted = false;
  #toldExhausted = false;
  #ending = null;
  #isOpen = false;
  /** In Storm mode: messages given out, by the JSON text of their id; a failed one is emitted again. */
  #given = new Map();

  constructor({ topology, declared, output, log, metrics, hooks, flow, fatal }) {
    Object.assign(this, { topology, declared, output, log, metrics, hooks, flow, fatal });
    this.inbox = new Inbox(this, output.frames);
    this.feed = null;
  }

  /** Is a message on its way that was asked for? */
  get isPulling() {
    return this.#pulling;
  }

  accept(text) {
    this.inbox.accept(text);
  }

  begin() {
    this.#isOpen = true;
    this.pump();
  }

  pump() {
    if (!this.#isOpen) return;
    while (this.#asked === null && !this.inbox.isEmpty && !this.output.isFull) {
      const { message } = this.inbox.first;
      this.inbox.shift();
      if (message !== null) this.#command(message);
    }
    if (this.output.isFull) this.output.onDrain(() => this.pump());
    this.output.flush();
    if (this.#ending !== null && this.#asked === null && this.inbox.isEmpty) this.#ending();
  }

  #command(message) {
    switch (message.command) {
      case 'next':
        this.#asked = message.max ?? 1;
        this.#since = Date.now();
        return this.#gather();
      case 'ack':
      case 'fail':
        for (const id of message.ids ?? [message.id]) this.#settled(message.command, id);
        break;
      case 'activate':
      case 'deactivate':
        this.#hook(message.command);
        break;
      default:
        this.log.warn(`unknown command from the engine: ${JSON.stringify(message)}`);
        return undefined;
    }
    if (!this.output.frames) this.output.send({ command: 'sync' });
    return undefined;
  }

  #settled(command, id) {
    if (!this.output.frames) this.#replay(command, JSON.stringify(id));
    this.#hook(command === 'ack' ? 'onAck' : 'onFail', id);
  }

  #replay(command, key) {
    const message = this.#given.get(key);
    this.#given.delete(key);
    if (command === 'fail' && message !== undefined) this.#ready.push(message);
  }

  /** Pulls until there is enough, nothing more, or no more time; then answers. */
  #gather() {
    while (this.#ready.length < this.#asked && !this.#isExhausted && !this.#pulling) {
      const before = this.#ready.length;
      let later;
      try {
        later = this.feed.pull();
      } catch (error) {
        this.#failed(error);
        break;
      }
      if (later !== undefined) return this.#waitFor(later);
      if (this.#ready.length === before) break;
      if ((this.#ready.length & 15) === 0 && Date.now() - this.#since >= NEXT_MS) break;
    }
    if (this.#pulling) this.#timer ??= setTimeout(() => this.#timeUp(), NEXT_MS);
    else this.#answer();
    return undefined;
  }

  #waitFor(later) {
    const before = this.#ready.length;
    this.#pulling = true;
    this.#timer ??= setTimeout(() => this.#timeUp(), NEXT_MS);
    later
      .catch((error) => this.#failed(error))
      .then(() => {
        this.#pulling = false;
        if (this.#asked === null) return;
        const isDry = this.#ready.length === before;
        if (isDry || Date.now() - this.#since >= NEXT_MS) this.#timeUp();
        else this.#gather();
        this.pump();
      });
  }

  #timeUp() {
    this.#answer();
    this.pump();
  }

  #failed(error) {
    this.reportError(error);
    if (this.feed.isOverAfterError) {
      this.#answer();
      this.fatal(error);
    }
  }

  #answer() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#asked === null) return;
    this.#send(this.#ready.splice(0, this.#asked));
    this.#asked = null;
    if (this.#isExhausted && this.#ready.length === 0 && !this.#toldExhausted && this.output.frames) {
      this.#toldExhausted = true;
      this.output.send({ command: 'exhausted' });
    }
    this.output.send({ command: 'sync' });
    this.output.flush();
  }

  #send(messages) {
    let list = [];
    for (const message of messages) {
      const { id, values, stream, task } = message;
      if (!this.output.frames && id !== null) this.#given.set(JSON.stringify(id), message);
      if (stream === 'default' && task === undefined) list.push([id, values]);
      else {
        if (list.length > 0) this.output.messages(list);
        list = [];
        this.output.send({ command: 'emit', tuple: values, stream, task, id: id ?? undefined, need_task_ids: false });
      }
    }
    if (list.length > 0) this.output.messages(list);
  }

  /** Takes one message that the spout gave. */
  offer(given) {
    const { id, values, stream, task } =
      given instanceof Message ? given
      : given instanceof Emit ? new Message(null, given.values, given)
      : new Message(null, given);
    const list = asValues(values);
    this.declared.check(list, stream);
    this.#ready.push({ id, values: snapshot(list), stream, task });
  }

  /** There will be no more messages. */
  exhausted() {
    this.#isExhausted = true;
  }

  #hook(name, argument) {
    const failed = (error) => this.reportError(error);
    try {
      const result = this.hooks[name]?.(argument);
      if (typeof result?.then === 'function') result.then(() => this.output.flush(), failed);
    } catch (error) {
      failed(error);
    }
  }

  finish() {
    return new Promise((resolve) => {
      this.#ending = resolve;
      this.pump();
    });
  }

  reportError(error) {
    this.output.note({ command: 'error', msg: error instanceof Error ? userTrace(error) : String(error) });
    setImmediate(() => this.output.flush());
  }

  soon() {
    setImmediate(() => this.output.flush());
  }

  emit(_inHand, values, options) {
    this.offer(new Message(options?.id, values, options));
  }

  emitAndWait(_inHand, values, options) {
    const list = asValues(values);
    const stream = options?.stream ?? 'default';
    this.declared.check(list, stream);
    const { id, task } = options ?? {};
    this.output.send({ command: 'emit', tuple: snapshot(list), stream, task, id: id ?? undefined });
    this.output.flush();
    return task === undefined ? this.inbox.taskIds.ask() : Promise.resolve([task]);
  }

  emitInHand(values, options) { this.emit(null, values, options); }
  emitInHandAndWait(values, options) { return this.emitAndWait(null, values, options); }
}

module.exports = { SpoutLoop };
