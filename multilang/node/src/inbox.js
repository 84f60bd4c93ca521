// What came from the engine and is not done yet, in order.
// Task ids are the one thing that overtakes; they go to those who wait for them at once.
'use strict';

const { Part, Source } = require('./tuple.js');

/** Those who wait for task ids, in the order of their emits. */
class TaskIds {
  #waiting = [];

  get isAwaited() {
    return this.#waiting.length > 0;
  }

  ask() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** False where nobody asked. */
  answer(ids) {
    const resolve = this.#waiting.shift();
    resolve?.(ids);
    return resolve !== undefined;
  }
}

class Inbox {
  taskIds = new TaskIds();
  #owner;
  #frames;
  #entries = [];
  #head = 0;
  #sources = new Map();
  /** Characters of the frames that are not finished. */
  chars = 0;
  /** After SIGTERM: what comes now is left to the engine to give out again. */
  isClosed = false;

  /** `owner` is what tuples call back, `frames` whether the engine speaks batch frames. */
  constructor(owner, frames) {
    this.#owner = owner;
    this.#frames = frames;
  }

  /** Takes one frame. Throws on text that is not JSON. */
  accept(text) {
    const parsed = JSON.parse(text);
    if (!Array.isArray(parsed)) this.#element(parsed, text, -1);
    else if (!this.#frames) this.#answer(parsed);
    else parsed.forEach((element, index) => this.#element(element, text, index));
    const last = this.#entries.at(-1);
    if (last === undefined || this.isClosed) return;
    last.chars += text.length;
    this.chars += text.length;
  }

  #element(element, text, index) {
    if (element.command === 'task_ids') this.#answer(element.ids);
    else if (this.isClosed) return;
    else if (element.tuples !== undefined) this.#part(element, element.first, element.tuples, text, index, true);
    else if (element.command !== undefined || element.stream === '__heartbeat' || element.stream === '__tick') {
      this.#entries.push({ part: null, message: element, chars: 0 });
    } else {
      const id = this.#frames && /^\d{1,15}$/.test(element.id) ? Number(element.id) : element.id;
      this.#part(element, id, [element.tuple], text, index, false);
    }
  }

  #part({ comp, stream, task, alone }, first, tuples, text, index, compact) {
    const part = new Part(this.#source(comp, stream, task), first, tuples, text, index, compact);
    part.isAlone = alone === true;
    this.#entries.push({ part, message: null, chars: 0 });
  }

  #source(component, stream, task) {
    const key = `${component}\0${stream}\0${task}`;
    let source = this.#sources.get(key);
    if (source === undefined) {
      source = new Source(this.#owner, component, stream, task, this.#owner.topology.inputs[component]?.[stream] ?? []);
      this.#sources.set(key, source);
    }
    return source;
  }

  #answer(ids) {
    if (!this.taskIds.answer(ids)) this.#owner.log.warn(`task ids came that nobody waits for: ${JSON.stringify(ids)}`);
  }

  get isEmpty() {
    return this.#head === this.#entries.length;
  }

  /** The oldest entry, `{ part }` or `{ message }`; undefined where there is none. */
  get first() {
    return this.#entries[this.#head];
  }

  /** Forgets the oldest entry. */
  shift() {
    this.chars -= this.#entries[this.#head].chars;
    this.#entries[this.#head++] = undefined;
    if (this.#head === this.#entries.length) {
      this.#entries = [];
      this.#head = 0;
    }
  }
}

module.exports = { Inbox };
