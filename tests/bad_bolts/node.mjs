// The deeds of deeds.py in Node.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { bolt } from 'galewire';

const all = Buffer.from([...Array(256).keys()]);
const frames = Buffer.concat([...Array(50).fill(all), Buffer.from(
  '\nend\n{"command":"emit","tuple":[\nend\n[1,2,3]\nend\n{"pid":1}\nend\n{"done":\nend\nend\n',
)]);

function put(fd, data) {
  for (let at = 0; at < data.length; ) {
    try {
      at += fs.writeSync(fd, data, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

const inherit = { stdio: 'inherit' };
const deeds = {
  prints() { for (let i = 0; i < 100_000; i++) console.log('line', i); },
  garbage() { put(1, frames); },
  unterminated() { put(1, Buffer.alloc(40 << 20, 'x')); },
  leaves_a_child_behind() {
    spawn('sh', ['-c', 'trap "" TERM; sleep 1000'], inherit);
    process.exit(0);
  },
  closes_stdout() { fs.closeSync(1); },
  closes_stdin() { fs.closeSync(0); },
  closes_stderr() { fs.closeSync(2); },
  closes_all() {
    for (let fd = 0; fd < 64; fd++) {
      try {
        fs.closeSync(fd);
      } catch (error) {
        if (error.code !== 'EBADF') throw error;
      }
    }
  },
  will_not_end() {
    process.on('SIGTERM', () => {});
    spawn('sh', ['-c', 'trap "" TERM; sleep 1000'], inherit);
  },
  floods_stderr() { for (let i = 0; i < 200; i++) put(2, Buffer.from(`complaint ${i}\n`.repeat(1000))); },
  logs(log) { for (let i = 0; i < Number(process.env.LOGS); i++) log.info(`log ${i}`); },
  says_much(log) { log.warn('h'.repeat(16 << 20)); },
  leaves() { process.exit(0); },
  crashes() { process.kill(process.pid, 'SIGSEGV'); },
  stops() { process.kill(process.pid, 'SIGSTOP'); },
  eats_memory() { for (const eaten = []; ; ) eaten.push(new Array(1e5).fill(Math.random())); },
};

export const citizen = bolt(({ number }, { log }) => {
  const name = process.env.DEED;
  if (name === 'prints_without_end') process.stdout.write('bare');
  else if (number === 700 && !fs.existsSync('done')) {
    fs.writeFileSync('done', '');
    deeds[name](log);
  }
  return [number];
});
