/** Write Galewire (and Storm) bolts and spouts in Node. */

/** Anything JSON can say, `rawJson(...)`, or a BigInt. `NaN`, `Infinity` and `undefined` are sent as `null`. */
export type Value = unknown;
/** The values of one tuple, in the order of the declared fields. */
export type Values = readonly Value[];

export interface EmitOptions {
  /** The output stream; `default` where it is left out. */
  stream?: string;
  /** Send to this task alone (a direct emit). */
  task?: number;
  /** Input tuples (or their ids) to anchor to; `[]` for none. Without it: the tuple in hand. */
  anchors?: Tuple | string | ReadonlyArray<Tuple | string>;
}

export interface SpoutEmitOptions {
  /** Tracks the message: it is acked, or given out again. Any JSON. */
  id?: unknown;
  stream?: string;
  task?: number;
}

export declare class Emit {
  private constructor();
  readonly values: Values;
  readonly stream: string;
}
export declare class Message {
  private constructor();
  readonly id: unknown;
  readonly values: Values;
}

/** An emit with more to say than its values: `yield emit([user], { stream: 'errors' })`. */
export declare function emit(values: Values | string | number, options?: EmitOptions): Emit;
/** A message of a spout. With an id it is acked or replayed; `null` is not tracked. */
export declare function message(id: unknown, values: Values | string | number, options?: { stream?: string; task?: number }): Message;

/** Thrown by a handler: fails its tuple with this reason, without a stack trace. */
export declare class Fail extends Error {
  constructor(reason?: string);
}
/** A mistake in the use of the SDK: a wrong count of values, an unknown stream or field. */
export declare class UsageError extends Error {}

/** JSON that is sent byte for byte, as `tuple.raw(i)` gives it. Throws on text that is not JSON. */
export declare function rawJson(json: string | Uint8Array | RawJson): RawJson;
export declare class RawJson {
  private constructor();
  readonly text: string;
}

/**
 * An input tuple. Its declared fields are properties: `tuple.word`, `({ word }) => ...`.
 * A field of the same name hides a property below; `meta(tuple)` still has it.
 */
export interface TupleBase {
  readonly values: readonly any[];
  readonly id: string;
  /** The component, stream and task that it comes from. */
  readonly component: string;
  readonly stream: string;
  readonly task: number;
  /** Names of its values. */
  readonly fields: readonly string[];
  /** Value `i` as the JSON text that was sent: large integers keep all digits. */
  raw(i: number): string;
  ack(): void;
  fail(reason?: string | Error): void;
  /** Still being worked on: starts its time-out anew. */
  touch(): void;
  /** The fields as a plain object. */
  toObject(): Record<string, any>;
}
export type Tuple<Fields extends object = Record<string, any>> = TupleBase & Fields;

export declare function meta(tuple: Tuple): Pick<TupleBase, 'id' | 'component' | 'stream' | 'task' | 'fields' | 'values'>;

export interface Log {
  trace(...args: unknown[]): void;
  debug(...args: unknown[]): void;
  info(...args: unknown[]): void;
  warn(...args: unknown[]): void;
  error(...args: unknown[]): void;
}

export interface Metrics {
  counter(name: string): { add(n?: number): void };
  gauge(name: string): { set(value: number): void };
  histogram(name: string): { add(value: number): void };
}

/** What the engine says about the component and its place in the topology. */
export interface Topology {
  readonly name: string;
  readonly component: string;
  readonly task: number;
  readonly tasks: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, readonly string[]>> | null;
  readonly inputs: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly groupings: Readonly<Record<string, any>>;
  readonly targets: Readonly<Record<string, any>>;
  readonly conf: Readonly<Record<string, any>>;
  readonly config: Readonly<Record<string, any>>;
  /** The context as the engine sent it. */
  readonly raw: Readonly<Record<string, any>>;
}

interface Shared extends Metrics {
  /** The component's own config. */
  readonly config: Readonly<Record<string, any>>;
  readonly context: Topology;
  readonly log: Log;
  /** Shows an error in the topology's error list; the process goes on. */
  reportError(error: unknown): void;
}

/** A call that is due later. */
export interface Timer {
  /** It is not called any more; harmless where it was called already. */
  cancel(): void;
}
/** What a timer calls; its context has no tuple in hand. */
export type TimerCall = (context: Context) => unknown;

/** The second argument of a bolt's handler; every part may be taken by destructuring. */
export interface Context extends Shared {
  readonly component: string;
  readonly task: number;
  /** Emits now, anchored to the tuple (or batch) in hand. Never waits. */
  emit(values: Values | string | number, options?: EmitOptions): void;
  /** Emits and resolves to the ids of the tasks that it went to. */
  emitAndWait(values: Values | string | number, options?: EmitOptions): Promise<number[]>;
  ack(tuple?: Tuple): void;
  fail(reason?: string | Error): void;
  fail(tuple: Tuple, reason?: string | Error): void;
  touch(tuple?: Tuple): void;
  /** Calls once, `delay` from now: milliseconds, or like `"1s"`. Timers end with the input. */
  after(delay: number | string, call: TimerCall): Timer;
  /** Calls again and again. */
  every(period: number | string, call: TimerCall): Timer;
}

export interface SpoutContext extends Shared {
  readonly component: string;
  readonly task: number;
  emit(values: Values | string | number, options?: SpoutEmitOptions): void;
  emitAndWait(values: Values | string | number, options?: SpoutEmitOptions): Promise<number[]>;
  /** There will be no more messages. */
  exhausted(): void;
}

/** One emit: values, a bare string or number for one field, `emit(...)`, or nothing. */
export type Result = Values | Emit | string | number | boolean | bigint | null | undefined | void;
/** What a handler may give back. A returned array is the values of one tuple, or a list of `emit(...)`. */
export type Results =
  | Result
  | readonly Emit[]
  | Iterable<Result>
  | AsyncIterable<Result>
  | Promise<Result | readonly Emit[]>;

export interface BoltOptions {
  /** `false`: the handler acks and fails by hand. */
  autoAck?: boolean;
}
export interface BatchOptions extends BoltOptions {
  /** Tuples in a full batch; 100 where it is left out. */
  size?: number;
  /** How long the first tuple may wait: milliseconds, or like `"1s"` (the default), `"200ms"`. */
  within?: number | string;
}

/** Makes a handler a bolt and returns the same function. The tuple is acked when the handler has ended, failed when it throws. */
export declare function bolt<F extends (tuple: any, context: Context) => Results>(handler: F, options?: BoltOptions): F;
/** Makes a handler of lists a bolt. The tuples are acked together; each can be failed alone. */
export declare function batchBolt<F extends (batch: Tuple[], context: Context) => Results>(options: BatchOptions, handler: F): F;
export declare function batchBolt<F extends (batch: Tuple[], context: Context) => Results>(handler: F, options?: BatchOptions): F;

export interface SpoutHooks {
  onAck?(id: any): void | Promise<void>;
  onFail?(id: any): void | Promise<void>;
  activate?(): void;
  deactivate?(): void;
}
/**
 * Makes a function a spout. A generator yields messages and is exhausted at its end; a plain function is called again
 * and again and returns messages, or nothing where there is none now.
 */
export declare function spout<F extends (context: SpoutContext) => unknown>(source: F, options?: SpoutHooks): F;

declare abstract class Component implements Shared {
  readonly config: Readonly<Record<string, any>>;
  readonly context: Topology;
  readonly log: Log;
  counter(name: string): { add(n?: number): void };
  gauge(name: string): { set(value: number): void };
  histogram(name: string): { add(value: number): void };
  reportError(error: unknown): void;
  /** Called once, before the first input. */
  open(): void | Promise<void>;
  /** Called once, after the last. */
  close(): void | Promise<void>;
}

declare abstract class AnyBolt extends Component {
  /** `false`: ack and fail by hand. */
  static autoAck?: boolean;
  /** Emits, anchored to the tuple in hand; outside of `process` unanchored. */
  emit(values: Values | string | number, options?: EmitOptions): void;
  emitAndWait(values: Values | string | number, options?: EmitOptions): Promise<number[]>;
  ack(tuple: Tuple): void;
  fail(tuple: Tuple, reason?: string | Error): void;
  touch(tuple: Tuple): void;
  /** Calls once, `delay` from now: milliseconds, or like `"1s"`; with no tuple in hand. Timers end with the input. */
  after(delay: number | string, call: TimerCall): Timer;
  /** Calls again and again. */
  every(period: number | string, call: TimerCall): Timer;
  /** Called for each tick, with the period in seconds. */
  tick(seconds: number): void | Promise<void>;
  /** No more input is coming: give up what is held. */
  drain(): void | Promise<void>;
  /** Every tuple of the run is done: final results may be emitted. */
  end(): void | Promise<void>;
}

/** The class form of a bolt, for state, ticks and life cycle. */
export declare abstract class Bolt extends AnyBolt {
  abstract process(tuple: Tuple, context: Context): Results;
}

/** The class form of `batchBolt`. */
export declare abstract class BatchBolt extends AnyBolt {
  static size?: number;
  static within?: number | string;
  abstract process(batch: Tuple[], context: Context): Results;
}

/** The class form of a spout. */
export declare abstract class Spout extends Component {
  /** Emits messages, or returns one or a list; called until it gives nothing. */
  abstract next(): unknown;
  emit(values: Values | string | number, options?: SpoutEmitOptions): void;
  emitAndWait(values: Values | string | number, options?: SpoutEmitOptions): Promise<number[]>;
  /** There will be no more messages. */
  exhausted(): void;
  onAck(id: any): void | Promise<void>;
  onFail(id: any): void | Promise<void>;
  activate(): void | Promise<void>;
  deactivate(): void | Promise<void>;
}
