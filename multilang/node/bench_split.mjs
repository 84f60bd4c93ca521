// Sentences a second of a word split through the SDK: one real child, frames of 500 sentences, 6 emits each.
// Usage: node bench_split.mjs [seconds] [FILE:NAME]

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const seconds = Number(process.argv[2] ?? 5);
const runner = fileURLToPath(new URL('./run.mjs', import.meta.url));
const spec = process.argv[3] ?? `${fileURLToPath(new URL('./fixtures/user/split.mjs', import.meta.url))}:split`;
const FRAME = 500;
const AHEAD = 8;

const words = 'the quick brown fox jumps over a lazy dog while storm and rain go by'.split(' ');
const sentences = Array.from({ length: FRAME }, (_, i) => [
  Array.from({ length: 6 }, (_, j) => words[(i * 7 + j * 3) % words.length]).join(' '),
]);
const tuples = JSON.stringify(sentences);
const handshake = {
  conf: { 'galewire.batch': { version: 1, max_tuples: 500, max_bytes: 262144 }, 'galewire.config': {} },
  pidDir: null,
  context: {
    'task->component': { 1: 'lines', 2: 'split' }, taskid: 2, componentid: 'split', streams: ['default'],
    'stream->outputfields': { default: ['word'] }, 'source->stream->fields': { lines: { default: ['line'] } },
  },
};

const started = performance.now();
const child = spawn(process.execPath, [runner, spec], { stdio: ['pipe', 'pipe', 'inherit'] });
child.stdin.write(`${JSON.stringify(handshake)}\nend\n`);

let sent = 0;
let done = 0;
let bytes = 0;
let isReady = false;
let rest = Buffer.alloc(0);
const COUNT = /"done":\d+,"(emits|count)":(\d*)/;

function send() {
  while (sent - done < FRAME * AHEAD) {
    child.stdin.write(`[{"comp":"lines","stream":"default","task":1,"first":${sent + 1},"tuples":${tuples}}]\nend\n`);
    sent += FRAME;
  }
}

child.stdout.on('data', (chunk) => {
  bytes += chunk.length;
  rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
  for (let at; (at = rest.indexOf('\nend\n')) !== -1; rest = rest.subarray(at + 5)) frame(rest.subarray(0, at));
  if (isReady) send();
});

function frame(data) {
  if (!isReady) {
    isReady = true;
    console.log(`handshake answered after ${(performance.now() - started).toFixed(0)} ms`);
    return;
  }
  // The engine reads this in Rust; here only the first key is looked at, to leave the core to the child.
  const match = COUNT.exec(data.latin1Slice(0, 40));
  if (!match) throw new Error(`not expected: ${data.toString('utf8', 0, 200)}`);
  if (match[1] === 'count') done += Number(match[2]);
  else {
    let count = 1;
    for (let at = -1; (at = data.indexOf(']],[[', at + 1)) !== -1; ) count++;
    done += count;
  }
}

let last = { done: 0, at: performance.now() };
const rates = [];
const timer = setInterval(() => {
  const now = performance.now();
  const rate = ((done - last.done) / (now - last.at)) * 1000;
  rates.push(rate);
  last = { done, at: now };
  console.log(`${Math.round(rate / 1000)}k sentences/s`);
  if (rates.length < seconds) return;
  clearInterval(timer);
  child.stdin.end();
}, 1000);
child.on('exit', (code) => {
  console.log(`best ${Math.round(Math.max(...rates) / 1000)}k sentences/s, ${(bytes / done).toFixed(1)} bytes out each, exit ${code}`);
  process.exit(code === 0 ? 0 : 1);
});
