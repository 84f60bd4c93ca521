// Scripts written for Storm's storm.js, run as they are, over batch frames and over Storm's messages.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';

import { withChild } from '../fixtures/engine.mjs';

const HOME = fileURLToPath(new URL('..', import.meta.url));
const script = (name) => path.join(HOME, 'fixtures', 'storm', name);

// The folders as the engine unpacks them.
const NODE_PATH = fs.mkdtempSync(path.join(os.tmpdir(), 'galewire-storm-'));
fs.symlinkSync(HOME, path.join(NODE_PATH, 'galewire'));
fs.writeFileSync(path.join(NODE_PATH, 'storm.js'), "module.exports = require('./galewire/storm/index.js');\n");
after(() => fs.rmSync(NODE_PATH, { recursive: true }));

function running(name, { env = {}, ...options }, body) {
  return withChild(script(name), { script: true, env: { NODE_PATH, ...env }, ...options }, body);
}
const logs = (child) => child.all('log').map(({ msg }) => msg);
const one = (id, value) => ({ id, comp: 'lines', stream: 'default', task: 1, tuple: [value] });

test('split_sentence_gets_the_task_ids_of_its_emits', async () => {
  await running('splitsentence.js', {}, async (child) => {
    const { batch, sdk, replay } = await child.ready();
    assert.deepEqual([batch, sdk, replay], [1, 'node 0.1.0 storm', undefined]);
    child.tuples(1, [['a b']]);
    await child.until(() => child.acked.length === 1);
    const emits = child.all('emit');
    assert.deepEqual(emits, ['a', 'b'].map((word) => ({ command: 'emit', tuple: [word], stream: 'default', anchors: ['1'] })));
    child.sendText([{ command: 'task_ids', ids: [5, 6] }, { command: 'task_ids', ids: [] }]);
    await child.until(() => child.all('log').length === 3);
    assert.deepEqual(logs(child), ['a stray print', 'a sent to task ids - 5,6', 'b sent to task ids - ']);
    assert.equal(child.stray, '');
  });
});

test('emits_whose_callback_takes_no_ids_travel_in_the_compact_form', async () => {
  await running('asyncSplitsentence.js', {}, async (child) => {
    child.tuples(1, [['a b'], ['c']]);
    await child.until(() => child.acked.length === 2);
    assert.deepEqual(child.elements.filter((element) => element.done), [{ done: 1, emits: [[['a'], ['b']], [['c']]] }]);
    assert.deepEqual(logs(child), ['before run {"a":1}']);
  });
});

test('errors_fail_their_tuple_and_name_the_line', async () => {
  await running('asyncSplitsentence.js', {}, async (child) => {
    child.tuples(1, [['bad'], ['throw'], ['fine']]);
    await child.until(() => child.acked.length === 1 && child.all('fail').length === 2);
    const [bad, thrown] = child.all('fail');
    assert.deepEqual([bad.id, bad.msg], ['1', 'Error: no such word']);
    assert.deepEqual([thrown.id, thrown.msg], ['2', 'TypeError: thrown']);
    assert.match(thrown.trace, /asyncSplitsentence\.js:12/);
    assert.doesNotMatch(thrown.trace, /src\/|storm\/index/);
  });
});

test('tuples_are_held_anchored_and_acked_by_hand', async () => {
  await running('asyncSplitsentence.js', { outputs: { default: ['word'], other: ['word'] } }, async (child) => {
    child.tuples(1, [['hold'], ['release']]);
    await child.until(() => child.acked.length === 2);
    const rest = { anchors: ['1', '2'], need_task_ids: false };
    assert.deepEqual(child.all('emit'), [
      { command: 'emit', tuple: ['both'], stream: 'default', ...rest },
      { command: 'emit', tuple: ['direct'], stream: 'other', anchors: ['2'], task: 7, need_task_ids: false },
    ]);
    assert.deepEqual(child.acked, [1, 2]);
  });
});

test('any_number_of_tuples_may_be_held_and_marks_do_not_wait_for_them', async () => {
  await running('asyncSplitsentence.js', {}, async (child) => {
    child.tuples(1, Array.from({ length: 100 }, () => ['hold']));
    child.tuples(101, [['a']]);
    child.heartbeat();
    child.sendText([{ id: '-1', comp: '__system', stream: '__tick', task: -1, tuple: [60] }]);
    child.sendText([{ command: 'drain', id: '7' }, { command: 'end', id: '8' }]);
    await child.untilCommand('ended');
    await child.until(() => child.acked.length === 1);
    assert.deepEqual(child.acked, [101]);
    assert.ok(child.find('sync') && child.find('drained'));
    assert.equal(logs(child).at(-1), 'tick [60]');
  });
});

test('a_spout_answers_next_with_as_many_as_it_has_and_emits_again_by_itself', async () => {
  await running('randomsentence.js', {}, async (child) => {
    child.sendText([{ command: 'activate', id: '' }, { command: 'next', max: 2 }]);
    await child.until(() => child.all('sync').length === 1);
    const messages = () => child.elements.flatMap((element) => element.messages ?? []);
    assert.deepEqual(messages(), [[0, ['s0']], [1, ['s1']]]);
    child.sendText([{ command: 'ack', ids: [1] }, { command: 'fail', ids: [0] }, { command: 'next', max: 9 }]);
    await child.until(() => child.all('sync').length === 2);
    assert.deepEqual(messages().slice(2), [[0, ['s0']], [2, ['s2']]]);
    assert.deepEqual(logs(child), ['Received ack for - 1', 'Received fail for - 0. Retrying.']);
  });
});

test('a_spout_gets_the_task_ids_that_it_asks_for', async () => {
  await running('randomsentence.js', { env: { ASK: '1' } }, async (child) => {
    child.sendText([{ command: 'next', max: 1 }]);
    await child.untilCommand('sync');
    assert.deepEqual(child.find('emit'), { command: 'emit', tuple: ['s0'], id: 0 });
    child.sendText([{ command: 'task_ids', ids: [5] }]);
    await child.untilCommand('log');
    assert.deepEqual(logs(child), ['0 to 5']);
  });
});

test('without_batch_frames_a_bolt_speaks_storms_messages', async () => {
  await running('splitsentence.js', { batch: false }, async (child) => {
    assert.deepEqual(Object.keys(await child.ready()), ['pid']);
    child.sendText(one('-42', 'a'));
    child.sendText({ id: 'h', comp: null, stream: '__heartbeat', task: -1, tuple: [] });
    await child.untilCommand('sync');
    assert.deepEqual(child.find('emit'), { command: 'emit', tuple: ['a'], stream: 'default', anchors: ['-42'] });
    assert.equal(child.find('ack').id, '-42');
    child.sendText('[5]');
    await child.until(() => logs(child).includes('a sent to task ids - 5'));
  });
});

test('without_batch_frames_a_spout_syncs_after_every_command', async () => {
  await running('randomsentence.js', { batch: false }, async (child) => {
    let count = 0;
    for (const [command, id] of [['activate', ''], ['next', ''], ['fail', 0], ['ack', 0], ['deactivate', '']]) {
      child.sendText({ command, id });
      count++;
      await child.until(() => child.all('sync').length === count, `sync ${count}`);
    }
    assert.deepEqual(child.all('emit').map(({ id, tuple }) => [id, tuple]), [[0, ['s0']], [0, ['s0']]]);
  });
});

test('the_input_ends_when_open_tuples_have_ended_or_never_will', async () => {
  await running('asyncSplitsentence.js', {}, async (child) => {
    child.tuples(1, [['hold'], ['a']]);
    assert.equal(await child.close(), 0);
    assert.deepEqual(child.acked, [2]);
  });
});

test('requiring_storm_changes_nothing', () => {
  const out = execFileSync(process.execPath, ['-e', "require('storm'); console.log('out')"], { env: { ...process.env, NODE_PATH } });
  assert.equal(String(out), 'out\n');
});
