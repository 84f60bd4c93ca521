// The testkit, used as a user would use it.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

import galewire, { Bolt, Spout, batchBolt, bolt, emit, message, spout } from '../index.mjs';
import { run } from '../testkit.mjs';

const split = bolt(function* ({ line }) {
  for (const word of line.split(' ')) yield [word];
});

test('import_and_require_give_the_same_objects', () => {
  assert.equal(createRequire(import.meta.url)('../index.js').bolt, galewire.bolt);
});

test('a_marked_function_is_still_a_plain_function', () => {
  assert.deepEqual([...split({ line: 'a b' })], [['a'], ['b']]);
});

test('functions', async () => {
  const out = await run(split, [{ line: 'a b' }, { line: 'c' }], { outputs: ['word'] });
  assert.deepEqual(out.emitted, [['a'], ['b'], ['c']]);
  assert.deepEqual(out.acked, ['1', '2']);
  assert.deepEqual(out.emits[2].anchors, ['2']);
});

test('failures_logs_streams_and_config', async () => {
  const odd = bolt(({ n }, { config, log }) => {
    log.warn('n is', n);
    if (n > config.limit) throw new RangeError('too large');
    return emit([n], { stream: 'small' });
  });
  const out = await run(odd, [[1], [5]], { fields: ['n'], config: { limit: 3 } });
  assert.deepEqual(out.on('small'), [[1]]);
  assert.equal(out.failed[0].id, '2');
  assert.equal(out.failed[0].msg, 'RangeError: too large');
  assert.deepEqual(out.logLines[0], { level: 'warn', msg: 'n is 1' });
});

test('circular_values_fail_the_tuple_that_emitted_them', async () => {
  const loop = bolt(({ n }) => {
    const value = {};
    if (n === 1) value.self = value;
    return [value];
  });
  const out = await run(loop, [{ n: 1 }, { n: 2 }]);
  assert.match(out.failed[0].msg, /circular/);
  assert.deepEqual(out.acked, ['2']);
});

test('batches', async () => {
  const out = await run(batchBolt({ size: 2 }, (batch) => [batch.length]), [{ n: 1 }, { n: 2 }, { n: 3 }]);
  assert.deepEqual(out.emitted, [[2], [1]]);
  assert.deepEqual(out.acked, ['1', '2', '3']);
});

test('classes_with_ticks_and_drain', async () => {
  class Sum extends Bolt {
    open() { this.sum = 0; }
    async process({ n }) { this.sum += n; }
    tick() { this.emit(['tick', this.sum]); }
    drain() { this.emit(['sum', this.sum]); }
  }
  const out = await run(Sum, [{ n: 1 }, { n: 2 }], { ticks: 1 });
  assert.deepEqual(out.emitted, [['tick', 3], ['sum', 3]]);
  assert.equal(out.component.sum, 3);
});

test('spouts', async () => {
  const letters = spout(async function* () {
    for (const letter of 'ab') yield message(letter, [letter]);
  });
  const out = await run(letters);
  assert.deepEqual(out.emits.map(({ id, values }) => [id, values]), [['a', ['a']], ['b', ['b']]]);
  assert.equal(out.exhausted, true);
  class Told extends Spout {
    told = [];
    next() { return this.told.length === 0 && !this.gave ? ((this.gave = true), [message(1, 'x'), message(2, 'y')]) : null; }
    onAck(id) { this.told.push(['ack', id]); }
    onFail(id) { this.told.push(['fail', id]); }
  }
  const told = await run(Told, { acks: [1], fails: [2] });
  assert.deepEqual(told.component.told, [['ack', 1], ['fail', 2]]);
});

test('limits_of_a_batch_are_checked', () => {
  assert.throws(() => batchBolt({ size: 0 }, () => {}), /whole number from 1/);
  assert.throws(() => batchBolt({ within: 'soon' }, () => {}), /"200ms"/);
});

test('what_is_not_json_is_refused_with_the_component_and_the_line', async () => {
  const cases = [
    [async () => [Promise.resolve(1)], /a promise \(is an await missing\?\)/],
    [() => [() => 1], /a function/],
    [() => [new Map([[1, 2]])], /class Map; spread it/],
    [() => ({ word: 'a' }), /gave an object: a handler gives an array/],
    [() => ['a', 'b'], /yield each to emit several/],
  ];
  for (const [handler, words] of cases) {
    const out = await run(bolt(handler), [{ line: 'a' }], { outputs: ['word'] });
    assert.match(out.failed[0].msg, words);
    assert.match(out.failed[0].msg, /component "component" .*testkit\.test\.mjs:\d+/);
    assert.throws(() => out.ok(), words);
  }
});

test('a_class_without_process_is_told_at_once', async () => {
  class Misspelt extends Bolt {
    proces() {}
  }
  await assert.rejects(run(Misspelt, [{ line: 'a' }]), /class Misspelt has no process\(tuple\); is proces meant/);
});

test('inputs_of_the_wrong_shape_are_told', async () => {
  await assert.rejects(run(split, { line: 'a' }), /inputs is a list/);
  await assert.rejects(run(split, ['a'], { fields: ['line'] }), /an object or an array of values, not 'a'/);
  await assert.rejects(run(split, [['a', 'b']], { fields: ['line'] }), /1 field\(s\), line/);
  assert.deepEqual((await run(split, [{ line: 'a b' }])).ok().emitted, [['a'], ['b']]);
});
