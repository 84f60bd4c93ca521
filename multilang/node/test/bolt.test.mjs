// Function bolts: what handlers return, how tuples are settled, what a tuple offers.

import assert from 'node:assert/strict';
import test from 'node:test';

import { withChild } from '../fixtures/engine.mjs';

/** Sends tuples from id 1 and returns all elements once they are settled. */
async function settled(child, tuples, more) {
  child.tuples(1, tuples, more);
  await child.until(() => child.acked.length + child.all('fail').length === tuples.length, 'all tuples settled');
  return child.elements.slice(1);
}

const cases = [
  ['split.mjs:split', [['a b'], ['c']], [{ done: 1, emits: [[['a'], ['b']], [['c']]] }]],
  ['bolts.mjs:upper', [['a']], [{ done: 1, emits: [[['A']]] }]],
  ['bolts.mjs:bare', [['a'], [''], ['é"\\\n😀\ud800']], [{ done: 1, emits: [[['a']], [['']], [['é"\\\n😀\ud800']]] }]],
  ['bolts.mjs:nothing', [['a'], ['b']], [{ done: 1, count: 2 }]],
  ['bolts.mjs:mutating', [['a']], [{ done: 1, emits: [[[{ line: 'a', n: 0 }], [{ line: 'a', n: 1 }]]] }]],
];
for (const [spec, tuples, expected] of cases) {
  test(`${spec}_gives_${JSON.stringify(expected)}`, async () => {
    await withChild(spec, {}, async (child) => assert.deepEqual(await settled(child, tuples), expected));
  });
}

test('a_throw_fails_its_own_tuple_with_reason_and_trace_behind_its_emits', async () => {
  await withChild('bolts.mjs:flaky', {}, async (child) => {
    const [first, emitted, boom, emitted2, fail, last] = await settled(child, [['a'], ['boom'], ['fail'], ['b']]);
    assert.deepEqual(first, { done: 1, emits: [[['before']]] });
    assert.deepEqual(emitted, { emit: 2, tuples: [['before']] });
    assert.equal(boom.id, '2');
    assert.equal(boom.msg, 'TypeError: it went wrong');
    assert.match(boom.trace, /bolts\.mjs:11/);
    assert.doesNotMatch(boom.trace, /src\/|node:internal/);
    assert.deepEqual(emitted2, { emit: 3, tuples: [['before']] });
    assert.deepEqual(fail, { command: 'fail', id: '3', msg: 'no such user' });
    assert.deepEqual(last, { done: 4, emits: [[['before']]] });
  });
});

test('other_streams_direct_and_unanchored_emits_keep_their_order', async () => {
  const outputs = { default: ['w'], pairs: ['l', 'n'] };
  await withChild('bolts.mjs:streams', { outputs }, async (child) => {
    assert.deepEqual(await settled(child, [['x']]), [
      { emit: 1, tuples: [['a']] },
      { emit: 1, tuples: [['x', 1]], stream: 'pairs' },
      { command: 'emit', tuple: ['direct'], stream: 'default', anchors: ['1'], task: 7, need_task_ids: false },
      { command: 'emit', tuple: ['free'], stream: 'default', anchors: [], need_task_ids: false },
      { done: 1, emits: [[['b']]] },
    ]);
  });
});

for (const [name, pattern] of [
  ['wide', /^component "it" emitted 2 values on stream "default", which declares 1 field: word; .*\(.*bolts\.mjs:\d+\)$/],
  ['unknown', /^component "it" emitted on stream "nowhere", which it does not declare; its streams are default \(word\) \(.*bolts\.mjs:\d+\)$/],
  ['misread', /^component "it" read the field "lime", but its input lines declares: line \(.*bolts\.mjs:\d+\)$/],
]) {
  test(`a_mistake_(${name})_fails_the_tuple_and_names_component_fields_and_line`, async () => {
    await withChild(`bolts.mjs:${name}`, {}, async (child) => {
      await settled(child, Array.from({ length: 20 }, () => ['x']));
      assert.equal(child.all('fail').length, 20);
      for (const { msg } of child.all('fail')) assert.match(msg, pattern);
    });
  });
}

test('raw_values_and_bigints_keep_every_digit', async () => {
  await withChild('bolts.mjs:raw', { outputs: { default: ['a', 'b'] } }, async (child) => {
    const texts = ['1180591620717411303424', '1e400', '-0.0', '"\\ud800\\u0061"', '{"a": [1,"]"]}'];
    child.sendText(`[{"comp":"lines","stream":"default","task":1,"first":1,"tuples":[${texts.map((text) => `[${text}]`)}]}]`);
    await child.until(() => child.acked.length === texts.length);
    const rows = texts.map((text) => `[[${text},1180591620717411303424]]`).join(',');
    assert.equal(child.lastFrame, `[{"done":1,"emits":[${rows}]}]`);
  });
});

test('a_tuple_has_values_id_component_stream_task_fields_and_rest_destructuring', async () => {
  const inputs = { lines: { s: ['line', 'n', 'm'] } };
  await withChild('bolts.mjs:whole', { inputs, config: { min: 3 } }, async (child) => {
    const [{ emits }] = await settled(child, [['a', 1, null]], { stream: 's', task: 9 });
    assert.deepEqual(emits[0][0][0], [['a', 1, null], '1', 'lines', 's', 9, ['line', 'n', 'm'], 'a', { n: 1, m: null }, 'it', 3]);
  });
});

test('a_declared_field_wins_over_a_property_of_the_same_name', async () => {
  await withChild('bolts.mjs:shadow', { inputs: { lines: { default: ['id', 'values'] } } }, async (child) => {
    const [{ emits }] = await settled(child, [['mine', 5]]);
    assert.deepEqual(emits[0][0][0], ['mine', 5]);
  });
});

test('manual_bolts_ack_when_they_say_so', async () => {
  await withChild('bolts.mjs:manual', {}, async (child) => {
    child.tuples(1, [['hold'], ['touch'], ['hold']]);
    child.heartbeat();
    await child.untilCommand('sync');
    assert.deepEqual(child.acked, []);
    assert.deepEqual(child.find('reset_timeout'), { command: 'reset_timeout', id: '2' });
    child.tuples(4, [['ack']]);
    await child.until(() => child.acked.length === 3);
    assert.deepEqual(child.acked, [1, 3, 4]);
  });
});

test('answers_of_slow_handlers_are_not_held_back', async () => {
  await withChild('bolts.mjs:slow', {}, async (child) => {
    child.tuples(1, [['10'], ['10'], ['400']]);
    await child.until(() => child.acked.length >= 1);
    assert.ok(child.acked.length < 3);
    await child.until(() => child.acked.length === 3);
  });
});

test('more_output_than_the_pipe_takes_arrives_whole_while_nobody_reads', async () => {
  await withChild('bolts.mjs:flood', {}, async (child) => {
    child.process.stdout.pause();
    child.tuples(1, Array.from({ length: 40 }, () => ['500']));
    child.tuples(41, [['1']]);
    const { stdout } = child.process;
    while (stdout.readableLength < stdout.readableHighWaterMark) await new Promise((resolve) => setImmediate(resolve));
    child.process.stdout.resume();
    await child.until(() => child.acked.length === 41);
    let rows = 0;
    for (const { emit, tuples, emits } of child.elements) rows += emit ? tuples.length : (emits?.flat().length ?? 0);
    assert.equal(rows, 40 * 500 + 1);
  });
});

test('large_frames_in_many_pieces_are_read', async () => {
  await withChild('bolts.mjs:bare', {}, async (child) => {
    const line = 'x'.repeat(3 * 1024 * 1024);
    const [{ tuples }] = await settled(child, [[line]]);
    assert.equal(tuples[0][0], line);
  });
});

test('many_small_and_split_writes_are_read', async () => {
  await withChild('bolts.mjs:bare', {}, async (child) => {
    const text = [1, 2, 3].map((id) => `[{"comp":"lines","stream":"default","task":1,"first":${id},"tuples":[["é${id}"]]}]\nend\n`).join('');
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 7) {
      child.process.stdin.write(bytes.subarray(at, at + 7));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await child.until(() => child.acked.length === 3);
  });
});

test('a_handler_that_logs_without_end_is_sent_in_frames_and_its_long_lines_are_cut', async () => {
  await withChild('bolts.mjs:chatty', {}, async (child) => {
    child.tuples(1, [['a']]);
    await child.until(() => child.acked.length === 1, 'the tuple acked');
    const logs = child.all('log').map(({ msg }) => msg);
    assert.equal(logs.filter((line) => line.startsWith('a ')).length, 200_000);
    assert.equal(Math.max(...logs.filter((line) => line.startsWith('z')).map((line) => line.length)), 16_384);
    assert.match(logs.find((line) => line.startsWith('w')), /\(\d+ characters more\)$/);
    assert.ok(child.longest < 2 ** 20, String(child.longest));
  });
});
