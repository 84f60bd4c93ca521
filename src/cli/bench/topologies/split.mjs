// Splits sentences, through the SDK.
import { bolt } from 'galewire';

export const split = bolt(function* ({ sentence }) {
  for (const word of sentence.split(' ')) yield [word];
});
