/** Runs a component in the test's own process, through the same loops as under the engine. */

export interface Emitted {
  values: any[];
  stream: string;
  /** The task of a direct emit, else null. */
  task: number | null;
  /** Ids of the inputs that it is anchored to. */
  anchors: string[];
  /** The id of a spout's message, else null. */
  id: any;
}

/** What came out of a run. Inputs have the ids "1", "2", ... in the order given. */
export declare class Out {
  /** The values of each emit, in order. */
  emitted: any[][];
  emits: Emitted[];
  acked: string[];
  failed: { id: string; msg: string; trace: string }[];
  logs: string[];
  logLines: { level: string; msg: string }[];
  errors: string[];
  metrics: { name: string; params: any }[];
  touched: string[];
  exhausted: boolean;
  /** The object of a class component after the run; null for functions. */
  component: any;
  /** This, where nothing failed and no error was reported; throws with the reasons if not. */
  ok(): this;
  /** The values of the emits of one stream. */
  on(stream: string): any[][];
}

export interface RunOptions {
  config?: Record<string, unknown>;
  /** Names of the values, where inputs are arrays. */
  fields?: string[];
  /** Declared fields of the default stream, or of each stream; without it nothing is checked. */
  outputs?: string[] | Record<string, string[]>;
  /** Ticks after the inputs. */
  ticks?: number;
  /** Drain and end after that; true where it is left out. */
  drain?: boolean;
  /** Spouts: messages asked for at most. */
  max?: number;
  /** Spouts: ids told to be acked afterwards; true for all. */
  acks?: true | unknown[];
  fails?: true | unknown[];
}

type Component = Function;

export declare function run(component: Component, inputs?: Array<Record<string, unknown> | unknown[]>, options?: RunOptions): Promise<Out>;
export declare function run(spout: Component, options: RunOptions): Promise<Out>;
