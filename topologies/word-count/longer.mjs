// Passes words on that have at least `min_length` letters.
import { bolt } from 'galewire';

export const longer = bolt(({ word }, { config }) => {
  if (word.length >= config.min_length) return [word];
});
