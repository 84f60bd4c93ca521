// Asynchronous handlers, batches, classes and the engine's commands.

import assert from 'node:assert/strict';
import test from 'node:test';

import { withChild } from '../fixtures/engine.mjs';

const lines = (n, line = 'x') => Array.from({ length: n }, () => [line]);

test('async_handlers_run_up_to_the_concurrency_of_the_component', async () => {
  await withChild('bolts.mjs:async_', { config: { concurrency: 3 } }, async (child) => {
    child.tuples(1, lines(30));
    await child.until(() => child.acked.length === 30);
    const seen = child.elements.flatMap(({ emits }) => emits ?? []).map((rows) => rows[0][0]);
    assert.equal(Math.max(...seen), 3);
  });
});

test('64_tuples_are_in_hand_without_a_setting_and_a_heartbeat_behind_them_is_answered', async () => {
  await withChild('bolts.mjs:release', {}, async (child) => {
    child.tuples(1, [...lines(63), ['wait']]);
    child.heartbeat();
    await child.untilCommand('sync');
    assert.deepEqual(child.acked, []);
    child.kill('SIGKILL');
    child.process.stdin.end();
    await child.exit;
  }).catch((error) => assert.match(error.message, /exit SIGKILL/));
});

test('a_heartbeat_waits_until_the_tuples_before_it_have_started', async () => {
  await withChild('bolts.mjs:async_', { config: { concurrency: 1 } }, async (child) => {
    child.tuples(1, [['ids'], ['x']]);
    child.heartbeat();
    await child.untilCommand('emit');
    child.sendText([{ command: 'task_ids', ids: [3] }]);
    await child.untilCommand('sync');
    const at = (isIt) => child.elements.findIndex(isIt);
    assert.ok(at(({ done }) => done === 1) < at(({ command }) => command === 'sync'));
  });
});

test('async_errors_fail_their_tuple', async () => {
  await withChild('bolts.mjs:async_', {}, async (child) => {
    child.tuples(1, [['boom'], ['x']]);
    const fail = await child.untilCommand('fail');
    assert.equal(fail.id, '1');
    assert.equal(fail.msg, 'Error: later');
    await child.until(() => child.acked.length === 1);
  });
});

test('emitAndWait_gives_the_task_ids_that_overtake_the_queue', async () => {
  await withChild('bolts.mjs:async_', { config: { concurrency: 1 } }, async (child) => {
    child.tuples(1, [['ids'], ['x']]);
    const emitted = await child.untilCommand('emit');
    assert.deepEqual(emitted, { command: 'emit', tuple: ['x'], stream: 'default', anchors: ['1'] });
    child.sendText([{ command: 'task_ids', ids: [3, 4] }]);
    await child.until(() => child.acked.length === 2);
    assert.deepEqual(child.elements.find(({ done }) => done === 1).emits[0], [['3,4']]);
  });
});

test('async_generators_emit_every_value', async () => {
  await withChild('bolts.mjs:asyncGenerator', {}, async (child) => {
    child.tuples(1, [['a b c']]);
    await child.until(() => child.acked.length === 1);
    const words = child.elements.flatMap(({ emit, tuples, emits }) => (emit ? tuples : (emits ?? []).flat()));
    assert.deepEqual(words, [['a'], ['b'], ['c']]);
  });
});

test('drain_waits_for_what_is_in_hand_and_answers_behind_it', async () => {
  await withChild('bolts.mjs:release', {}, async (child) => {
    child.tuples(1, lines(3));
    child.sendText([{ command: 'drain', id: '7' }]);
    child.heartbeat();
    await child.untilCommand('sync');
    assert.equal(child.find('drained'), undefined);
    child.tuples(4, [['go']]);
    assert.equal((await child.untilCommand('drained')).id, '7');
    assert.deepEqual(child.elements.at(-1), { command: 'drained', id: '7' });
    assert.deepEqual(child.acked.toSorted?.() ?? child.acked.sort(), [1, 2, 3, 4]);
  });
});

test('a_batch_is_handled_when_it_is_full_or_old', async () => {
  await withChild('bolts.mjs:store', {}, async (child) => {
    child.tuples(1, lines(4));
    await child.until(() => child.acked.length === 4);
    const counts = child.all('emit').map(({ tuple, anchors }) => [tuple[0], anchors]);
    assert.deepEqual(counts, [[3, ['1', '2', '3']], [1, ['4']]]);
  });
});

test('tuples_of_a_batch_are_failed_alone_and_a_throw_fails_the_rest', async () => {
  await withChild('bolts.mjs:store', {}, async (child) => {
    child.tuples(1, [['bad'], ['x'], ['x'], ['boom'], ['bad'], ['x']]);
    await child.until(() => child.all('fail').length === 4 && child.acked.length === 2);
    assert.deepEqual(child.acked, [2, 3]);
    assert.deepEqual(child.all('fail').map(({ id, msg }) => [id, msg]), [
      ['1', 'bad one'], ['5', 'bad one'], ['4', 'Error: whole batch'], ['6', 'Error: whole batch'],
    ]);
  });
});

test('drain_flushes_a_batch_and_replays_are_not_held_afterwards', async () => {
  await withChild('bolts.mjs:patient', {}, async (child) => {
    child.tuples(1, lines(2));
    child.sendText([{ command: 'drain', id: '1' }]);
    await child.untilCommand('drained');
    assert.deepEqual(child.acked, [1, 2]);
    child.tuples(3, lines(1));
    await child.until(() => child.acked.length === 3);
  });
});

test('a_tuple_that_comes_alone_is_gathered_no_longer', async () => {
  await withChild('bolts.mjs:patient', {}, async (child) => {
    child.tuples(1, lines(2));
    const last = { comp: 'lines', stream: 'default', task: 1, first: 3, tuples: [['c']], alone: true };
    child.sendText([last]);
    await child.until(() => child.acked.length === 3);
  });
});

test('end_of_input_flushes_a_batch', async () => {
  await withChild('bolts.mjs:patient', {}, async (child) => {
    child.tuples(1, lines(2));
    assert.equal(await child.close(), 0);
    assert.deepEqual(child.acked, [1, 2]);
  });
});

test('a_class_has_state_ticks_drain_end_close_and_metrics', async () => {
  await withChild('bolts.mjs:Count', { outputs: { default: ['word', 'count'] } }, async (child) => {
    child.tuples(1, [['a'], ['a']]);
    child.sendText([{ id: 't', comp: '__system', stream: '__tick', task: -1, tuple: [2.5] }, { command: 'drain', id: '1' }, { command: 'end', id: '2' }]);
    await child.untilCommand('ended');
    assert.equal(await child.close(), 0);
    const unanchored = child.all('emit').map(({ tuple, anchors }) => [tuple, anchors]);
    assert.deepEqual(unanchored, [[['tick', 2.5], []], [['drain', 0], []], [['end', 1], []]]);
    assert.deepEqual(child.elements[1], { done: 1, emits: [[['a', 1]], [['a', 2]]] });
    assert.equal(child.find('log').msg, 'closed');
    const order = child.elements.map(({ command }) => command).filter((name) => /drained|ended|emit/.test(name));
    assert.deepEqual(order, ['emit', 'emit', 'drained', 'emit', 'ended']);
  });
});

for (const name of ['Later', 'Surprise']) {
  test(`emits_of_the_asynchronous_class_${name}_are_anchored_to_their_own_tuple`, async () => {
    await withChild(`bolts.mjs:${name}`, {}, async (child) => {
      child.tuples(1, Array.from({ length: 10 }, (_, i) => [String(i + 1)]));
      await child.until(() => child.acked.length === 10);
      for (const { done, emits, emit, tuples } of child.elements.slice(1)) {
        if (emit) assert.deepEqual(tuples, [[String(emit)]]);
        else emits?.forEach((rows, i) => rows.forEach((row) => assert.deepEqual(row, [String(done + i)])));
      }
    });
  });
}

test('prints_and_logs_are_log_messages_with_their_level', async () => {
  await withChild('bolts.mjs:prints', {}, async (child) => {
    child.tuples(1, [['x']]);
    await child.until(() => child.acked.length === 1);
    assert.deepEqual(child.all('log').map(({ msg, level }) => [msg, level]), [
      ['printed x', 2], ['shouted', 4], ['half line', 2], ['{ a: 1 }', 1], ['careful', 3],
    ]);
  });
});

test('a_grandchild_writes_to_stderr_and_cannot_take_the_input', async () => {
  await withChild('bolts.mjs:grandchild', {}, async (child) => {
    child.tuples(1, [['x']]);
    await child.until(() => child.acked.length === 1);
    await child.until(() => child.stderr.includes('from the grandchild'));
  });
});

test('metrics_are_summed_and_sent_a_few_times_a_second', async () => {
  await withChild('bolts.mjs:metered', {}, async (child) => {
    child.tuples(1, lines(500));
    await child.until(() => child.all('metrics').length >= 3);
    assert.equal(await child.close(), 0);
    const of = (name) => child.all('metrics').filter((element) => element.name === name).map(({ params }) => params);
    assert.equal(of('hits').reduce((sum, { add }) => sum + add, 0), 500);
    assert.deepEqual(of('length')[0], { type: 'gauge', value: 1 });
    assert.equal(of('lengths').flatMap(({ values }) => values).length, 500);
    assert.ok(child.all('metrics').length < 30);
  });
});
