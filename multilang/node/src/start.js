// A component's life as a process: handshake, opening, work, and a clean end.
// The only file that exits the process.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { takeDescriptors } = require('./descriptors.js');
const { Log, capturePrints } = require('./log.js');
const { Packer } = require('./packer.js');
const { StormOutput } = require('./storm-output.js');
const { Reader } = require('./reader.js');
const { Topology } = require('./topology.js');
const { Writer } = require('./writer.js');
const { describe } = require('./components.js');
const { userTrace } = require('./declared.js');
const { help } = require('./help.js');
const { load } = require('./load.js');
const { assemble } = require('./assemble.js');

const { version } = require('../package.json');

class Process {
  #log = new Log();
  #endPrints = capturePrints(this.#log);
  #engineShowsErrors = false;
  #output = null;
  #running = null;
  #isEnding = false;
  #isStarting = false;
  #early = [];
  #gotHandshake;
  #handshake = new Promise((resolve) => (this.#gotHandshake = resolve));

  constructor({ input, output }) {
    this.writer = new Writer(output, (error) => this.#broken(error));
    this.reader = new Reader(input, {
      onFrame: (text) => this.#frame(text),
      onChunk: () => this.#running?.loop.pump(),
      onEnd: (rest) => this.#ended(rest),
    });
    process.on('SIGTERM', () => {
      if (this.#running) this.#running.loop.inbox.isClosed = true;
      this.#end();
    });
    process.on('exit', () => this.#lastWords());
    process.on('uncaughtException', (error) => this.#die(error));
    process.on('unhandledRejection', (error) => this.#die(error));
  }

  /** `find` promises the component, `about` describes it to the engine and `assemble` puts it into its loop. */
  async run(find, { about, assemble }) {
    const loading = find().then(
      (exported) => ({ exported }),
      (error) => ({ error }),
    );
    const [{ exported, error }, handshake] = await Promise.all([loading, this.#handshake]);
    this.#answer(handshake, exported === undefined ? null : about(exported));
    if (error) return this.#die(error);
    const topology = new Topology(handshake);
    this.#running = assemble(exported, {
      topology,
      output: this.#output,
      log: this.#log,
      flow: (isOn) => (isOn || this.#isEnding ? this.reader.resume() : this.reader.pause()),
      fatal: (failure) => this.#leave(1, failure),
    });
    await this.#running.open();
    if (this.#isStarting) this.#output.note({ command: 'started' });
    for (const text of this.#early.splice(0)) this.#accept(text);
    this.#running.loop.begin();
    this.#running.flush();
    if (this.#isEnding) await this.#finish();
  }

  #frame(text) {
    if (this.#running) this.#accept(text);
    else if (this.#gotHandshake) {
      const handshake = parsed(text);
      if (handshake?.conf === undefined) this.#explain();
      this.#gotHandshake(handshake);
      this.#gotHandshake = null;
    } else this.#early.push(text);
  }

  #accept(text) {
    try {
      this.#running.loop.accept(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#running.loop.reportError(`cannot read a frame of ${text.length} characters: ${error.message}`);
    }
  }

  /** Answers the handshake in the words that the engine understands. */
  #answer({ conf, pidDir }, about) {
    if (pidDir) this.#writePidFile(pidDir);
    const speaksFrames = conf?.['galewire.batch']?.version >= 1;
    const answer = { pid: process.pid };
    if (speaksFrames) {
      answer.batch = 1;
      this.#engineShowsErrors = true;
      answer.sdk = about?.sdk ? `node ${version} ${about.sdk}` : `node ${version}`;
      if (about?.kind === 'spout') answer.replay = 'engine';
      else if (about?.isClass) answer.memory = true;
      // Tuples come once it is open: what it has not got cannot have killed it.
      this.#isStarting = about?.kind !== 'spout';
      if (this.#isStarting) answer.starting = true;
    }
    this.writer.write(`${JSON.stringify(answer)}\nend\n`);
    this.#output = speaksFrames ? new Packer(this.writer) : new StormOutput(this.writer);
    this.#log.attach((level, msg) => {
      this.#output.note({ command: 'log', msg, level });
      this.#running?.loop.soon();
    });
    this.#output.flush();
  }

  /** The engine does not need the file: where it cannot be written, a warning is enough. */
  #writePidFile(folder) {
    try {
      fs.writeFileSync(path.join(folder, String(process.pid)), '');
    } catch (error) {
      this.#log.warn(`cannot write the pid file: ${error.message}`);
    }
  }

  #ended(rest) {
    if (rest !== '' && this.#gotHandshake) this.#explain();
    if (rest !== '') this.#log.warn(`the input ended in the middle of a frame: ${rest.slice(0, 200)}`);
    this.#end();
  }

  /** Nothing more will come, or nothing more shall be done: finish and leave. */
  #end() {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (this.#gotHandshake) process.exit(0);
    if (this.#running) this.#finish().catch((error) => this.#die(error));
  }

  async #finish() {
    await this.#running.loop.finish();
    await this.#running.close();
    process.exit(0);
  }

  #die(error) {
    this.#output?.note({ command: 'error', msg: told(error) });
    if (this.#output && this.#engineShowsErrors) process.exit(1);
    this.#leave(1, error); // Storm shows what a dying child wrote to stderr
  }

  #leave(status, error) {
    process.stderr.write(`${told(error)}\n`);
    process.exit(status);
  }

  /** What came is no handshake: there is no engine on the other side. */
  #explain() {
    process.stderr.write(help);
    process.exit(2);
  }

  /** Runs at every exit, also one by user code: what was said is sent. */
  #lastWords() {
    this.#endPrints();
    this.#running?.flush();
    this.#output?.flush();
    this.writer.flushSync();
  }

  #broken(error) {
    process.stderr.write(`galewire: cannot write to the engine: ${error.message}\n`);
    process.exit(1);
  }
}

/** The value of JSON text; undefined where it is none. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An error as it is shown: of the user's mistakes the message alone, of others the user's part of the stack. */
function told(error) {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'LoadError') return error.message;
  const trace = userTrace(error);
  // Nothing but the SDK's own frames: then it is a bug of ours, and they matter.
  const isOurs = !/\n\s+at /.test(trace) && (error instanceof TypeError || error instanceof ReferenceError);
  return isOurs ? error.stack : trace;
}

/** Runs the component named by `spec`, `FILE:NAME`, until the engine closes the pipe. */
function start(spec) {
  live(() => load(spec), { about: describe, assemble });
}

/** Runs a component that is there already. */
function serve(component, parts) {
  live(async () => component, parts);
}

function live(find, parts) {
  const life = new Process(takeDescriptors());
  life.run(find, parts).catch((error) => process.emit('uncaughtException', error));
}

module.exports = { start, serve };
