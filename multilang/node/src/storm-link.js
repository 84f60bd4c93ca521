// What stands between a component written for Storm's `storm.js` and the loops of this package.
// Decides whether an emit asks for task ids; knows nothing of frames.
'use strict';

const { Declared } = require('./declared.js');

const links = new WeakMap();

/** The link of a component; made at its first use, as scripts may forget to call the base constructor. */
function linkOf(component) {
  let link = links.get(component);
  if (link === undefined) links.set(component, (link = new Link(component)));
  return link;
}

class Link {
  #component;
  #loop = null;
  #output = null;
  /** Log lines said before `run()`. */
  #early = [];

  constructor(component) {
    this.#component = component;
  }

  /** Takes the pipes and runs the component; `kind` is bolt or spout. */
  run(kind) {
    if (this.#loop !== null) throw new Error('run() was called already');
    const { serve } = require('./start.js');
    // Not a spout as this package has them, for which the engine would emit a failed message again by itself.
    serve(this.#component, { about: () => ({ sdk: 'storm' }), assemble: (_component, parts) => this.#assemble(kind, parts) });
  }

  #assemble(kind, { topology, output, log, flow }) {
    const declared = new Declared(topology.component, topology.outputs, null);
    const { StormBoltLoop } = require('./storm-bolt.js');
    const { StormSpoutLoop } = require('./storm-spout.js');
    const Loop = kind === 'spout' ? StormSpoutLoop : StormBoltLoop;
    const loop = new Loop({ topology, declared, output, log, flow, component: this.#component });
    this.#loop = loop;
    this.#output = output;
    for (const line of this.#early.splice(0)) output.note(line);
    return {
      loop,
      open: () => new Promise((done, refuse) => {
        const result = this.#component.initialize(topology.conf, topology.raw, done);
        if (typeof result?.then === 'function') result.then(undefined, refuse);
      }),
      close: async () => {},
      flush: () => loop.flush(),
    };
  }

  emit(details, onTaskIds) {
    const loop = this.#running();
    if (onTaskIds === null || !takesIds(onTaskIds)) {
      loop.emitStorm(details);
      if (onTaskIds !== null) queueMicrotask(() => onTaskIds());
    } else loop.emitAsking(details).then(onTaskIds);
  }

  ack(tuple) { this.#running().ackById(tuple.id); }
  fail(tuple, error) { this.#running().failById(tuple.id, error); }

  send(message) {
    const loop = this.#running();
    loop.sendStorm(message.command === 'emit' ? { ...message, need_task_ids: false } : message);
    loop.soon();
  }

  log(msg, level) {
    const line = { command: 'log', msg, level };
    if (this.#loop === null) {
      this.#early.push(line);
      return;
    }
    this.#output.note(line);
    this.#loop.soon();
  }

  #running() {
    if (this.#loop === null) throw new Error('the component does not run yet; call this from initialize() on');
    return this.#loop;
  }
}

const NO_PARAMETERS = /^\s*(?:async\s+)?(?:function\b[^(]*)?\(\s*\)/;

/** Can the function see what it is called with? Yes where that is not certain. */
function takesIds(callback) {
  if (callback.length > 0) return true;
  const source = Function.prototype.toString.call(callback);
  return !NO_PARAMETERS.test(source) || /\barguments\b|\beval\b|\[native code\]/.test(source);
}

/** `callback`, the first time it is called. */
function once(callback) {
  let isDone = false;
  return (...args) => {
    if (isDone) return;
    isDone = true;
    callback(...args);
  };
}

/** Resolves when `settled` resolves, when nothing is left that could settle it, or when the process is told to leave. */
function orNeverMore(settled) {
  return new Promise((resolve) => {
    settled.then(resolve);
    process.once('beforeExit', resolve);
    process.once('SIGTERM', resolve);
  });
}

module.exports = { linkOf, once, orNeverMore, takesIds };
