// Runs a component in the test's own process, through the same loops as under the engine.
// Values pass through JSON both ways, so what the engine would refuse fails here too.
'use strict';

const { inspect } = require('node:util');

const { assemble } = require('./src/assemble.js');
const { describe } = require('./src/components.js');
const { Log } = require('./src/log.js');
const { Packer } = require('./src/packer.js');
const { Topology } = require('./src/topology.js');

/** How long an asynchronous spout may take for its next message before the run counts as over. */
const PATIENCE_MS = 1000;
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];

/** What came out of a run. Inputs have the ids "1", "2", ... in the order given. */
class Out {
  /** The values of each emit, in order. */
  emitted = [];
  /** The same with all there is to know: `{ values, stream, task, anchors, id }`. */
  emits = [];
  /** Ids of acked inputs. */
  acked = [];
  /** Failed inputs: `{ id, msg, trace }`. */
  failed = [];
  /** Log lines: their text. */
  logs = [];
  /** Log lines with their level: `{ level, msg }`. */
  logLines = [];
  errors = [];
  metrics = [];
  touched = [];
  exhausted = false;
  /** The object of a class component after the run; null for functions. */
  component = null;

  /** This, where nothing failed and no error was reported; throws with the reasons if not. */
  ok() {
    const wrong = [...this.failed.map(({ id, msg, trace }) => `input ${id} failed: ${trace || msg}`), ...this.errors];
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    return this;
  }

  /** The values of the emits of one stream. */
  on(stream) {
    return this.emits.filter((emit) => emit.stream === stream).map((emit) => emit.values);
  }
}

function addEmit(out, values, { stream = 'default', task = null, anchors = [], id = null } = {}) {
  out.emitted.push(values);
  out.emits.push({ values, stream, task, anchors, id });
}

/** Reads one element of the component's answer into `out`. */
function take(out, element) {
  const { command } = element;
  if (element.done !== undefined) {
    const rows = element.emits ?? new Array(element.count).fill([]);
    rows.forEach((emits, i) => {
      const id = String(element.done + i);
      for (const values of emits) addEmit(out, values, { anchors: [id] });
      out.acked.push(id);
    });
  } else if (element.emit !== undefined) {
    for (const values of element.tuples) addEmit(out, values, { stream: element.stream, anchors: [String(element.emit)] });
  } else if (element.messages !== undefined) {
    for (const [id, values] of element.messages) addEmit(out, values, { id });
  } else if (command === 'emit') addEmit(out, element.tuple, element);
  else if (command === 'ack') out.acked.push(element.id);
  else if (command === 'fail') out.failed.push({ id: element.id, msg: element.msg ?? '', trace: element.trace ?? '' });
  else if (command === 'reset_timeout') out.touched.push(element.id);
  else if (command === 'error') out.errors.push(element.msg);
  else if (command === 'metrics') out.metrics.push({ name: element.name, params: element.params });
  else if (command === 'exhausted') out.exhausted = true;
  else if (command === 'log') {
    out.logs.push(element.msg);
    out.logLines.push({ level: LEVELS[element.level], msg: element.msg });
  }
}

function fieldsOf(inputs, fields) {
  for (const input of inputs) {
    if (typeof input !== 'object' || input === null) throw new TypeError(`an input is an object or an array of values, not ${inspect(input)}`);
    if (fields && Array.isArray(input) && input.length !== fields.length) {
      throw new TypeError(`an input has ${fields.length} field(s), ${fields.join(', ')}: ${inspect(input)}`);
    }
  }
  if (fields) return fields;
  if (inputs.some((input) => Array.isArray(input))) throw new TypeError("inputs are arrays: name their fields with { fields: ['a', 'b'] }");
  return [...new Set(inputs.flatMap((input) => Object.keys(input)))];
}

function topologyOf(fields, { config = {}, outputs }) {
  const context = { 'task->component': { 1: 'source', 2: 'component' }, taskid: 2, componentid: 'component' };
  context['source->stream->fields'] = { source: { default: fields } };
  if (outputs) context['stream->outputfields'] = Array.isArray(outputs) ? { default: outputs } : outputs;
  return new Topology({ conf: { 'galewire.config': config }, context });
}

/** The other end of the pipe: parses what is written, answers requests for task ids, tells of each `sync`. */
class Engine {
  out = new Out();
  onSync = () => {};
  isFull = false;
  running = null;

  write(text) {
    for (const frame of text.split('\nend\n').slice(0, -1)) {
      for (const element of JSON.parse(frame)) {
        take(this.out, element);
        if (element.command === 'emit' && element.need_task_ids !== false && element.task === undefined) {
          queueMicrotask(() => this.send([{ command: 'task_ids', ids: [1] }]));
        }
        if (element.command === 'sync') this.onSync();
      }
    }
  }

  flushSync() {}
  onDrain(callback) { setImmediate(callback); }

  send(elements) {
    this.running.loop.accept(JSON.stringify(elements));
    this.running.loop.pump();
  }
}

/**
 * Runs a component over `inputs` (objects, or arrays with their names in `fields`) and resolves to what came out.
 * Options: `config`, `fields`, `outputs` (declared fields; without it nothing is checked), `ticks`, `drain`;
 * for spouts `max`, `acks` and `fails` (ids told afterwards, or true for all).
 */
async function run(exported, inputs = [], options = {}) {
  const about = describe(exported);
  if (about === null) throw new TypeError('run(...) takes a function made by bolt, batchBolt or spout, or a class extending Bolt, BatchBolt or Spout');
  if (!Array.isArray(inputs)) {
    if (about.kind !== 'spout') throw new TypeError(`inputs is a list, as in [{ field: 1 }], not ${inspect(inputs)}`);
    [inputs, options] = [[], inputs];
  }
  const engine = new Engine();
  const log = new Log();
  const output = new Packer(engine);
  log.attach((level, msg) => output.note({ command: 'log', msg, level }));
  const fields = fieldsOf(inputs, options.fields);
  let failure = null;
  const running = assemble(exported, {
    topology: topologyOf(fields, options),
    output,
    log,
    flow: () => {},
    fatal: (error) => (failure = error),
  });
  engine.running = running;
  engine.out.component = running.instance;
  await running.open();
  running.loop.begin();
  if (about.kind === 'spout') await runSpout(engine, options, () => failure !== null);
  else runBolt(engine, inputs, fields, options);
  await running.loop.finish();
  await running.close();
  running.flush();
  return engine.out;
}

function runBolt(engine, inputs, fields, { ticks = 0, drain = true }) {
  const tuples = inputs.map((input) => (Array.isArray(input) ? input : fields.map((field) => input[field])));
  const elements = [];
  if (tuples.length > 0) elements.push({ comp: 'source', stream: 'default', task: 1, first: 1, tuples });
  for (let i = 0; i < ticks; i++) elements.push({ id: `tick${i}`, comp: '__system', stream: '__tick', task: -1, tuple: [1] });
  if (drain) elements.push({ command: 'drain', id: 'd' }, { command: 'end', id: 'e' });
  engine.send(elements);
}

async function runSpout(engine, { max = 10_000, acks = [], fails = [] }, isOver) {
  const { out } = engine;
  engine.send([{ command: 'activate', id: '' }]);
  let idleSince = Date.now();
  while (out.emits.length < max && !out.exhausted && !isOver()) {
    const before = out.emits.length;
    const synced = new Promise((resolve) => (engine.onSync = resolve));
    engine.send([{ command: 'next', max: max - before }]);
    await synced;
    if (out.emits.length > before) idleSince = Date.now();
    else if (!engine.running.loop.isPulling || Date.now() - idleSince > PATIENCE_MS) break;
  }
  const given = out.emits.map((emit) => emit.id).filter((id) => id !== null);
  const told = [['ack', acks === true ? given : acks], ['fail', fails === true ? given : fails]];
  for (const [command, ids] of told) if (ids.length > 0) engine.send([{ command, ids }]);
  engine.send([{ command: 'deactivate', id: '' }]);
}

module.exports = { run, Out };
