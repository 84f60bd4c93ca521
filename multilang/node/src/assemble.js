// Puts a component together with the loop that runs it.
// Both the runner and the testkit use this, so tests run what the engine runs.
'use strict';

const { attach, describe, mustHandle } = require('./components.js');
const { Context } = require('./context.js');
const { Declared } = require('./declared.js');
const { Metrics } = require('./metrics.js');

/** Tuples that an asynchronous bolt has in hand, where its `concurrency` does not say. */
const CONCURRENCY = 64;

/**
 * `{ loop, instance, open, close, flush }` for an exported component.
 * `open` and `close` call the component's own; `flush` sends all that is held.
 */
function assemble(exported, { topology, output, log, flow, fatal }) {
  const { kind, options, place, isClass } = describe(exported);
  if (isClass) mustHandle(exported, kind);
  const declared = new Declared(topology.component, topology.outputs, place);
  const metrics = new Metrics((name, params) => {
    output.note({ command: 'metrics', name, params });
    loop.soon();
  });
  const instance = isClass ? new exported() : null;
  const parts = { topology, declared, output, log, metrics, flow, fatal, hooks: instance ?? options };
  const loop = kind === 'spout' ? spoutLoop(parts, instance, exported) : boltLoop(kind, parts, instance, exported, options);
  if (instance) attach(instance, loop);
  return {
    loop,
    instance,
    open: async () => {
      await instance?.open();
      if (kind === 'spout') loop.feed = makeFeed(loop, instance, exported);
    },
    close: async () => {
      loop.feed?.close();
      await instance?.close();
    },
    flush: () => {
      metrics.flush();
      loop.answers?.flush();
      output.flush();
    },
  };
}

function boltLoop(kind, parts, instance, exported, options) {
  const work = instance ? instance.process : exported;
  // A bound function keeps its prototype, which says whether it is asynchronous.
  const bound = instance ? work.bind(instance) : work;
  const limit = Math.max(1, Number(parts.topology.config.concurrency ?? CONCURRENCY) || CONCURRENCY);
  if (kind === 'batchBolt') {
    const { BatchLoop } = require('./batch-loop.js');
    return new BatchLoop({ ...parts, work: bound, options, limit });
  }
  const { TupleLoop } = require('./tuple-loop.js');
  return new TupleLoop({ ...parts, work: bound, autoAck: options.autoAck, isClass: instance !== null, limit });
}

function spoutLoop(parts) {
  const { SpoutLoop } = require('./spout-loop.js');
  return new SpoutLoop(parts);
}

function makeFeed(loop, instance, exported) {
  const { CallFeed, functionFeed } = require('./feed.js');
  const offer = (given) => loop.offer(given);
  if (instance) return new CallFeed(() => instance.next(), offer);
  return functionFeed(exported, new Context(loop, null), offer, () => loop.exhausted());
}

module.exports = { assemble };
