// Counts down to zero.
import { message, spout } from 'galewire';

export const countdown = spout(function* ({ config }) {
  for (let seconds = config.from; seconds >= 0; seconds -= 1) {
    // The first argument is the message's id: with one, it is acked, or given out again.
    yield message(seconds, [seconds]);
  }
});
