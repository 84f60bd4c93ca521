// Mistakes that a type checker sees. A line without its mistake fails too (unused directive).
import { BatchBolt, Bolt, Fail, batchBolt, bolt, emit, message, spout, type Context, type Tuple } from 'galewire';
import { run } from 'galewire/testkit';

// @ts-expect-error: there is no such option
bolt(() => [1], { autoack: false });
// @ts-expect-error: an object is no result of a handler
bolt(({ line }) => ({ word: line }));
// @ts-expect-error: nor is one that is yielded
bolt(function* ({ line }) { yield { word: line }; });
// @ts-expect-error: a size is a number
batchBolt({ size: 'many' }, () => {});
// @ts-expect-error: a task is a number
emit(['a'], { task: '7' });
// @ts-expect-error: there is no such option
emit(['a'], { strem: 'errors' });
// @ts-expect-error: values are an array, or one string or number
message(1, { word: 'a' });
// @ts-expect-error: a reason is text
new Fail(404);

export class Count extends Bolt {
  // @ts-expect-error: it is called counter
  process(tuple: Tuple, { coutner }: Context): void {
    // @ts-expect-error: there is no such method
    this.counter('hits').increment();
    // @ts-expect-error: a gauge is a number
    this.gauge('depth').set('deep');
    // @ts-expect-error: it is called emit
    this.emmit([tuple.word]);
    // @ts-expect-error: the config is not for writing
    this.config.least = 3;
    // @ts-expect-error: of a tuple and a reason
    this.fail('why');
  }
}

// @ts-expect-error: a bolt has a process
export class Nothing extends Bolt {}

export class Store extends BatchBolt {
  // @ts-expect-error: a batch is a list
  process(batch: Tuple): void {}
}

export const typed = bolt(({ line }: Tuple<{ line: string }>) => {
  // @ts-expect-error: a string has no such method
  return [line.splitt(' ')];
});

// @ts-expect-error: an input is an object or an array
void run(typed, ['a']);
// @ts-expect-error: there is no such option
void run(typed, [], { tick: 1 });
// @ts-expect-error: an emit of a spout has no anchors
spout(({ emit }) => emit(['a'], { anchors: [] }));
