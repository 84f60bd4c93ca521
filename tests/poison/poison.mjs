import { bolt } from 'galewire';

export const poisoned = bolt(({ number }, { config }) => {
  if (!config.poison.includes(number)) return [number];
  if (config.how === 'leaves') process.exit(1);
  if (config.how === 'killed') process.kill(process.pid, 'SIGKILL');
  if (config.how === 'crashes') process.kill(process.pid, 'SIGSEGV');
  if (config.how === 'waits') return new Promise(() => {});
  if (config.how === 'hangs') for (;;);
  throw new Error('poison');
});
