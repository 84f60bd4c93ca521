import { bolt } from 'galewire';

export const score = bolt(function* ({ word }) {
  yield [word.length];
});
