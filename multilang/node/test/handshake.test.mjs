// Handshake, loading, file kinds, and how a process starts and ends.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { Child, USER, withChild } from '../fixtures/engine.mjs';

const HOME = fileURLToPath(new URL('..', import.meta.url));

test('handshake_answer_names_pid_batch_sdk_and_writes_the_pid_file', async () => {
  const child = new Child('split.mjs:split');
  const { pid, ...answer } = await child.ready();
  assert.deepEqual(answer, { batch: 1, sdk: 'node 0.1.0', starting: true });
  await child.until(() => child.isStarted, 'started');
  assert.deepEqual(fs.readdirSync(child.pidDir), [String(pid)]);
  assert.equal(await child.close(), 0);
});

test('spouts_leave_replay_to_the_engine_and_class_bolts_say_that_they_keep_memory', async () => {
  await withChild('spouts.mjs:numbers', {}, async (child) => assert.equal((await child.ready()).replay, 'engine'));
  await withChild('bolts.mjs:Count', {}, async (child) => assert.equal((await child.ready()).memory, true));
});

test('without_an_offer_the_answer_is_storms', async () => {
  await withChild('split.mjs:split', { batch: false }, async (child) => {
    assert.deepEqual(Object.keys(await child.ready()), ['pid']);
  });
});

for (const file of ['count.js', 'count.cjs']) {
  test(`commonjs_file_${file}_runs`, async () => {
    await withChild(`${file}:count`, {}, async (child) => {
      child.tuples(1, [['abc']]);
      await child.until(() => child.acked.length === 1);
      assert.deepEqual(child.elements.at(-1), { done: 1, emits: [[[3]]] });
    });
  });
}

test('package_runs_from_node_path_and_from_the_users_node_modules', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'galewire-home-'));
  const user = path.join(root, 'user');
  fs.mkdirSync(path.join(user, 'node_modules'), { recursive: true });
  fs.cpSync(HOME, path.join(root, 'lib', 'galewire'), { recursive: true });
  fs.writeFileSync(path.join(user, 'a.cjs'), "exports.b = require('galewire').bolt(() => [__filename]);");
  fs.writeFileSync(path.join(user, 'a.mjs'), "import { bolt } from 'galewire'; export const b = bolt(() => [import.meta.resolve('galewire')]);");
  const runsFrom = (file) =>
    withChild(path.join(user, file), { env: { NODE_PATH: path.join(root, 'lib') } }, async (child) => {
      child.tuples(1, [['x']]);
      await child.until(() => child.acked.length === 1);
      return child;
    });
  await runsFrom('a.cjs');
  await runsFrom('a.mjs');
  fs.cpSync(HOME, path.join(user, 'node_modules', 'galewire'), { recursive: true });
  await withChild(path.join(user, 'a.mjs'), {}, async (child) => {
    child.tuples(1, [['x']]);
    await child.until(() => child.acked.length === 1);
    assert.match(JSON.stringify(child.elements), /user\/node_modules\/galewire\/index\.mjs/);
  });
  fs.rmSync(root, { recursive: true });
});

for (const [spec, pattern] of [
  ['broken.mjs:split', /missing\.mjs/],
  ['throws.cjs:it', /cannot load[^]*throws\.cjs:2/],
  ['nowhere.mjs:it', /there is no file nowhere\.mjs in /],
  ['bolts.mjs:missing', /does not export missing; its components are: .*upper/],
  ['bolts.mjs:plain', /plain in bolts\.mjs is no component; wrap the function/],
  ['bolts.mjs', /exports several components; name one/],
]) {
  test(`loading_${spec}_fails_with_its_reason_as_error`, async () => {
    const child = new Child(spec);
    assert.equal(await child.exit, 1);
    assert.ok(child.elements[0].pid > 0);
    assert.match(child.find('error').msg, pattern);
    assert.equal(child.stderr, '', "said once, as the component's error");
  });
}

test('an_open_that_throws_is_reported_and_ends_the_process', async () => {
  const child = new Child('bolts.mjs:Unopened');
  assert.equal(await child.exit, 1);
  assert.match(child.find('error').msg, /no database/);
});

test('without_a_name_the_only_component_runs', async () => {
  await withChild('split.mjs', {}, async (child) => {
    child.tuples(1, [['a b']]);
    await child.until(() => child.acked.length === 1);
  });
});

test('typed_by_hand_it_explains_itself', () => {
  const bare = spawnSync(process.execPath, [path.join(HOME, 'run.mjs')], { encoding: 'utf8' });
  assert.equal(bare.status, 2);
  assert.match(bare.stderr, /FILE:NAME[^]*\[bolts\.split\]/);
  const inTerminal = spawnSync('script', ['-qec', `${process.execPath} ${HOME}run.mjs split.mjs:split`, '/dev/null'], { encoding: 'utf8', cwd: USER });
  if (inTerminal.error?.code === 'ENOENT') return;
  assert.equal(inTerminal.status, 2);
  assert.match(inTerminal.stdout, /not started by hand/);
});

test('text_that_is_no_handshake_explains_how_to_run_it', () => {
  for (const input of ['hello\n', 'hello\nend\n', '{}\nend\n']) {
    const run = spawnSync(process.execPath, [path.join(HOME, 'run.mjs'), 'split.mjs:split'], { cwd: USER, input, encoding: 'utf8' });
    assert.equal(run.status, 2);
    assert.match(run.stderr, /galewire bolt topology\.toml split/);
  }
});

test('a_syntax_error_in_a_module_is_shown_with_its_line', async () => {
  const child = new Child('malformed.mjs:split');
  assert.equal(await child.exit, 1);
  assert.match(child.find('error').msg, /malformed\.mjs:3\n.*\n *\^+[^]*SyntaxError/);
});

test('end_of_input_finishes_what_came_and_leaves_with_0', async () => {
  const child = new Child('bolts.mjs:asyncGenerator');
  await child.ready();
  child.tuples(1, Array.from({ length: 200 }, (_, i) => [`a${i} b`]));
  assert.equal(await child.close(), 0);
  assert.equal(child.acked.length, 200);
});

test('end_of_input_before_the_handshake_leaves_with_0', async () => {
  const run = spawnSync(process.execPath, [path.join(HOME, 'run.mjs'), 'split.mjs:split'], { cwd: USER, input: '' });
  assert.equal(run.status, 0);
});

test('sigterm_finishes_closes_and_leaves_with_0', async () => {
  const child = new Child('bolts.mjs:Count', { outputs: { default: ['word', 'count'] } });
  await child.ready();
  child.tuples(1, [['a']]);
  await child.until(() => child.acked.length === 1);
  child.kill('SIGTERM');
  assert.equal(await child.exit, 0);
  assert.equal(child.find('log').msg, 'closed');
});

test('sigterm_ends_a_component_whose_input_never_stops', async () => {
  const child = new Child('bolts.mjs:slow');
  await child.ready();
  let first = 1;
  const feed = setInterval(() => child.tuples(first++, [['5']]), 1);
  await child.until(() => child.acked.length > 5);
  child.kill('SIGTERM');
  assert.equal(await child.exit, 0);
  clearInterval(feed);
});

for (const [name, text] of [['stray', 'outside of a handler'], ['rejected', 'nobody listens']]) {
  test(`an_error_nobody_catches_(${name})_is_reported_and_ends_the_process`, async () => {
    const child = new Child(`bolts.mjs:${name}`);
    await child.ready();
    child.tuples(1, [['x']]);
    assert.equal(await child.exit, 1);
    assert.match(child.find('error').msg, new RegExp(`RangeError: ${text}[^]*bolts\\.mjs`));
    assert.equal(child.stderr, '', "said once, as the component's error");
  });
}

test('process_exit_in_user_code_loses_no_finished_work', async () => {
  const child = new Child('bolts.mjs:leaver');
  await child.ready();
  child.tuples(1, [['a'], ['b'], ['leave']]);
  assert.equal(await child.exit, 3);
  assert.deepEqual(child.acked, [1, 2]);
});

test('a_frame_that_is_not_json_is_reported_and_the_next_one_works', async () => {
  await withChild('split.mjs:split', {}, async (child) => {
    child.sendText('[{"comp":');
    assert.match((await child.untilCommand('error')).msg, /cannot read a frame/);
    child.tuples(1, [['a']]);
    await child.until(() => child.acked.length === 1);
  });
});

test('sockets_in_place_of_pipes_work_too', async () => {
  await withChild('split.mjs:split', { sockets: true }, async (child) => {
    child.tuples(1, Array.from({ length: 5000 }, () => ['a b c d']));
    await child.until(() => child.acked.length === 5000);
  });
});
