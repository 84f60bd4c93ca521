import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from 'galewire/testkit';

import { split } from './split.mjs';

test('a line becomes its words', async () => {
  const out = await run(split, [{ line: 'Rain and rain' }], { outputs: ['word'] });
  assert.deepEqual(out.emitted, [['rain'], ['and'], ['rain']]);
  assert.deepEqual(out.acked, ['1']);
});
