// Bolts in Node that say on which path a tuple came, and that can be told to misbehave.
import { spawn } from 'node:child_process';
import { bolt } from 'galewire';

// Ends as if all were well, in the middle of the work.
process.on('SIGUSR2', () => process.exit(0));

// Ends while a process of its own holds what it inherited.
process.on('SIGHUP', () => {
  spawn('sleep', ['20'], { argv0: 'heir', stdio: 'inherit' });
  process.exit(9);
});

export const step = bolt(({ number, path }) => [number, `${path}.${process.pid}`]);

export const branch = bolt(({ number, path }, { config }) =>
  [number * config.branches + config.branch, `${path}.${process.pid}`]);
