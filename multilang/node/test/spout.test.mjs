// Spouts in frames, and everything in Storm's own messages.

import assert from 'node:assert/strict';
import test from 'node:test';

import { Child, withChild } from '../fixtures/engine.mjs';

const next = (child, max) => child.sendText([{ command: 'next', max }]);
const syncs = (child, n) => child.until(() => child.all('sync').length === n, `${n} syncs`);

test('a_generator_spout_gives_up_to_max_and_is_exhausted_at_its_end', async () => {
  await withChild('spouts.mjs:numbers', { config: { count: 3 } }, async (child) => {
    next(child, 2);
    await syncs(child, 1);
    next(child, 5);
    await syncs(child, 2);
    assert.deepEqual(child.elements.slice(1), [
      { messages: [[0, ['n0']], [1, ['n1']]] }, { command: 'sync' },
      { messages: [[2, ['n2']]] }, { command: 'exhausted' }, { command: 'sync' },
    ]);
  });
});

test('untracked_messages_other_streams_and_any_id', async () => {
  await withChild('spouts.mjs:mixed', { outputs: { default: ['w'], pairs: ['a', 'b'] } }, async (child) => {
    next(child, 10);
    await syncs(child, 1);
    assert.deepEqual(child.elements.slice(1, 4), [
      { messages: [[null, ['untracked']], [{ a: 1 }, ['object id']]] },
      { command: 'emit', tuple: ['x', 1], stream: 'pairs', id: 's', need_task_ids: false },
      { command: 'emit', tuple: ['y', 2], stream: 'pairs', need_task_ids: false },
    ]);
  });
});

test('a_slow_async_spout_answers_with_none_rather_than_wait', async () => {
  await withChild('spouts.mjs:slow', {}, async (child) => {
    for (let asked = 1; !child.find('exhausted'); asked++) {
      next(child, 5);
      await syncs(child, asked);
    }
    assert.ok(child.all('sync').length > 2);
    assert.deepEqual(child.elements.flatMap(({ messages }) => messages ?? []), [[1, ['first']], [2, ['second']]]);
  });
});

test('a_plain_function_is_called_until_it_gives_nothing', async () => {
  await withChild('spouts.mjs:called', {}, async (child) => {
    next(child, 10);
    await syncs(child, 1);
    assert.deepEqual(child.elements[1], { messages: [[0, ['c0']], [1, ['c1']], [2, ['c2']]] });
  });
});

test('a_class_spout_hears_of_acks_fails_and_activation', async () => {
  await withChild('spouts.mjs:Letters', {}, async (child) => {
    child.sendText([{ command: 'activate', id: '' }]);
    next(child, 10);
    await syncs(child, 1);
    assert.deepEqual(child.elements.filter(({ command }) => command !== 'log').slice(1), [
      { messages: [['a', ['a']], ['b', ['b']], ['c', ['c']]] }, { command: 'exhausted' }, { command: 'sync' },
    ]);
    child.sendText([{ command: 'ack', ids: ['a', 0] }, { command: 'fail', ids: ['b'] }, { command: 'deactivate', id: '' }]);
    await child.until(() => child.all('log').length === 5);
    assert.deepEqual(child.all('log').map(({ msg }) => msg), ['activate', 'ack "a"', 'ack 0', 'fail "b"', 'deactivate']);
    assert.equal(child.all('sync').length, 1);
  });
});

test('a_generator_that_throws_sends_what_it_gave_and_its_error_and_ends_the_process', async () => {
  const child = new Child('spouts.mjs:broken');
  await child.ready();
  next(child, 5);
  assert.equal(await child.exit, 1);
  assert.deepEqual(child.elements.find(({ messages }) => messages).messages, [[1, ['fine']]]);
  assert.match(child.find('error').msg, /source is gone[^]*spouts\.mjs/);
});

test('storm_bolts_emit_and_ack_with_single_messages', async () => {
  await withChild('split.mjs:split', { batch: false }, async (child) => {
    child.sendText({ id: '99', comp: 'lines', stream: 'default', task: 1, tuple: ['a b'] });
    child.sendText({ id: 'x', comp: null, stream: '__heartbeat', task: -1, tuple: [] });
    await child.untilCommand('sync');
    const emit = (word) => ({ command: 'emit', tuple: [word], stream: 'default', anchors: ['99'], need_task_ids: false });
    assert.deepEqual(child.elements.slice(1), [emit('a'), emit('b'), { command: 'ack', id: '99' }, { command: 'sync' }]);
  });
});

test('storm_task_ids_come_as_a_bare_array', async () => {
  await withChild('bolts.mjs:async_', { batch: false }, async (child) => {
    child.sendText({ id: '5', comp: 'lines', stream: 'default', task: 1, tuple: ['ids'] });
    await child.untilCommand('emit');
    child.sendText([8, 9]);
    await child.untilCommand('ack');
    assert.deepEqual(child.all('emit').map(({ tuple }) => tuple), [['x'], ['8,9']]);
  });
});

test('storm_spouts_sync_every_command_and_give_a_failed_message_again', async () => {
  await withChild('spouts.mjs:numbers', { batch: false, config: { count: 2 } }, async (child) => {
    const steps = [['next', ''], ['fail', 0], ['next', ''], ['ack', 0], ['next', ''], ['next', '']];
    let done = 0;
    for (const [command, id] of steps) {
      child.sendText({ command, id });
      await syncs(child, ++done);
    }
    const ids = child.all('emit').map(({ id, tuple }) => [id, tuple[0]]);
    assert.deepEqual(ids, [[0, 'n0'], [0, 'n0'], [1, 'n1']]);
    assert.equal(child.find('exhausted'), undefined);
  });
});
