// Splits lines into words.
import { bolt } from 'galewire';

export const split = bolt(function* ({ line }) {
  for (const word of line.toLowerCase().split(/\s+/)) if (word) yield [word];
});
