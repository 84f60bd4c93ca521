// Timers: spans, cancelling, and what is anchored to nothing.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

import { withChild } from '../fixtures/engine.mjs';

const { Timers, milliseconds } = createRequire(import.meta.url)('../src/timers.js');

test('spans_are_milliseconds_or_text', () => {
  assert.equal(milliseconds('1.5s', 'x'), 1500);
  assert.equal(milliseconds(20, 'x'), 20);
  assert.equal(milliseconds(0, 'a delay', 0), 0);
  assert.throws(() => milliseconds(0, 'a period'), /a period is milliseconds/);
  assert.throws(() => milliseconds('soon', 'a delay'), /soon/);
});

test('cancelled_timers_are_not_called', async () => {
  const called = [];
  const timers = new Timers((call) => call());
  timers.after(1, () => called.push('cancelled')).cancel();
  timers.every(1, () => called.push('all'));
  timers.cancelAll();
  await new Promise((resolve) => timers.after(5, resolve));
  assert.deepEqual(called, []);
});

test('a_timer_of_a_function_gets_a_context_without_a_tuple', async () => {
  await withChild('bolts.mjs:later', {}, async (child) => {
    child.tuples(1, [['a']]);
    const emitted = await child.untilCommand('emit');
    assert.deepEqual([emitted.tuple, emitted.anchors], [['a later'], []]);
    assert.deepEqual(child.acked, [1]);
  });
});

test('an_error_in_a_timer_of_an_asynchronous_class_is_reported_and_the_bolt_goes_on', async () => {
  await withChild('bolts.mjs:LaterClass', {}, async (child) => {
    child.tuples(1, [['boom']]);
    assert.match((await child.untilCommand('error')).msg, /out of time/);
    child.tuples(2, [['a']]);
    const emitted = await child.untilCommand('emit');
    assert.deepEqual([emitted.tuple, emitted.anchors], [['a'], []]);
  });
});
