import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from 'galewire/testkit';

import { split } from './split.mjs';

test('a line becomes its words', async () => {
  const out = await run(split, [{ line: 'Rain and rain' }]);
  assert.deepEqual(out.emitted.map((emit) => emit.values), [['rain'], ['and'], ['rain']]);
  assert.equal(out.acked.length, 1);
});
