// Input tuples: one generated class for each source stream, with the declared fields as properties.
// Fields are own properties, so destructuring, spreading and rest work; everything else is hidden.
'use strict';

const { inspect } = require('node:util');

const { tupleStarts, valueText } = require('./raw.js');
const { UsageError } = require('./values.js');

const OPEN = 0;
const ACKED = 1;
const FAILED = 2;
const STATES = ['open', 'acked', 'failed'];
/** How many first tuples of a stream are checked for the use of fields that do not exist. */
const STRICT_TUPLES = 8;
const PLAIN = Symbol('galewire.plain');

/** Some consecutive tuples of one source, as they came. */
class Part {
  constructor(source, first, tuples, text, index, compact) {
    this.source = source;
    this.first = first;
    this.tuples = tuples;
    this.next = 0;
    this.text = text;
    this.index = index;
    this.compact = compact;
    this.starts = null;
    this.isAlone = false;
  }

  take() {
    const i = this.next++;
    const id = typeof this.first === 'number' ? this.first + i : this.first;
    return new this.source.Tuple(this.tuples[i], id, this, i);
  }

  raw(position, i) {
    this.starts ??= tupleStarts(this.text, this.index, this.compact);
    return valueText(this.text, this.starts[position], i);
  }
}

class Tuple {
  #values;
  #id;
  #part;
  #position;
  #state = OPEN;
  #rows = [];
  #stream = 'default';

  constructor(values, id, part, position) {
    this.#values = values;
    this.#id = id;
    this.#part = part;
    this.#position = position;
  }

  get values() { return this.#values; }
  get id() { return String(this.#id); }
  get component() { return this.#part.source.component; }
  get stream() { return this.#part.source.stream; }
  get task() { return this.#part.source.task; }
  get fields() { return this.#part.source.fields; }

  raw(i) { return this.#part.raw(this.#position, i); }
  ack() { this.#part.source.owner.ack(this); }
  fail(reason) { this.#part.source.owner.fail(this, reason); }
  touch() { this.#part.source.owner.touch(this); }
  toObject() { return { ...this }; }

  get [PLAIN]() { return this; }
  [inspect.custom](_depth, options, show) {
    return `Tuple ${this.#id} of ${this.#part.source.name} ${show({ ...this }, options)}`;
  }

  static wireId(tuple) { return tuple.#id; }
  static valuesOf(tuple) { return tuple.#values; }
  static sourceOf(tuple) { return tuple.#part.source; }
  static rowsOf(tuple) { return tuple.#rows; }
  static takeRows(tuple) {
    const rows = tuple.#rows;
    tuple.#rows = [];
    return rows;
  }
  static rowStream(tuple) { return tuple.#stream; }
  static setRowStream(tuple, stream) { tuple.#stream = stream; }
  static isOpen(tuple) { return tuple.#state === OPEN; }
  static settle(tuple, state) { tuple.#state = state; }
  static stateName(tuple) { return STATES[tuple.#state]; }
  static is(value) { return typeof value === 'object' && value !== null && #state in value; }
}

/** The tuple itself, where user code may hold the checking view of it. */
function plain(tuple) {
  if (Tuple.is(tuple)) return tuple;
  const inner = tuple?.[PLAIN];
  if (inner === undefined) throw new UsageError('this is not a tuple that came from the engine');
  return inner;
}

/** The envelope of a tuple; for streams with a field named like one of its parts (`id`, `task`, ...). */
function meta(tuple) {
  const inner = plain(tuple);
  const { component, stream, task, fields } = Tuple.sourceOf(inner);
  return { id: String(Tuple.wireId(inner)), component, stream, task, fields, values: Tuple.valuesOf(inner) };
}

/** A class whose constructor sets each field by a literal name: several times faster than a loop over names. */
function tupleClass(fields) {
  const unique = [...new Set(fields)];
  const shadowing = unique.filter((name) => name in Tuple.prototype && name !== 'constructor');
  const declare = shadowing.map((name) => `[${JSON.stringify(name)}];`).join('');
  const set = unique
    .filter((name) => name !== 'constructor' && name !== '__proto__')
    .map((name) => `this[${JSON.stringify(name)}]=values[${fields.indexOf(name)}];`)
    .join('');
  const body = `${declare}constructor(values,id,part,position){super(values,id,part,position);${set}}`;
  return new Function('Base', `'use strict';return class Tuple extends Base{${body}}`)(Tuple);
}

/** One stream of one task of another component, as this component sees it. */
class Source {
  constructor(owner, component, stream, task, fields) {
    this.owner = owner;
    this.component = component;
    this.stream = stream;
    this.task = task;
    this.fields = fields;
    this.name = stream === 'default' ? component : `${component}/${stream}`;
    this.Tuple = tupleClass(fields);
    this.strictLeft = STRICT_TUPLES;
  }

  /**
   * What a handler is given: the tuple, or for the first few a view that throws on a field which no input declares.
   * After one mistake every tuple is checked, so that a replay fails in the same words.
   */
  view(tuple) {
    if (this.strictLeft === 0) return tuple;
    this.strictLeft--;
    return new Proxy(tuple, { get: (target, key) => this.#get(target, key) });
  }

  #get(target, key) {
    if (key in target) {
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' && key in Tuple.prototype ? value.bind(target) : value;
    }
    if (typeof key === 'symbol' || key === 'then' || key === 'toJSON' || this.owner.knowsInput(key)) return undefined;
    this.strictLeft = Infinity;
    throw this.owner.usageError(
      `read the field ${JSON.stringify(key)}, but its input ${this.name} declares: ${this.fields.join(', ') || 'no fields'}`,
    );
  }
}

module.exports = { OPEN, ACKED, FAILED, Part, Tuple, Source, plain, meta };
