// Runs a component for the engine: node <dir>/galewire/run.mjs FILE:NAME
// Typed by hand in a terminal it explains itself. Where the file has a galewire installed, that one runs.

import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const require = createRequire(import.meta.url);
const spec = process.argv[2];

const { help } = require('./src/help.js');

/** An engine gives pipes (or sockets); a terminal, a file or /dev/null is somebody trying it out. */
function isEngine() {
  const input = fs.fstatSync(0);
  return input.isFIFO() || input.isSocket();
}

if (spec === undefined || !isEngine()) {
  process.stderr.write(spec === undefined ? `usage: node run.mjs FILE:NAME\n\n${help}` : help);
  process.exitCode = 2;
} else {
  const { installed } = require('./src/provide.js');
  const { parseSpec } = require('./src/load.js');
  const file = path.resolve(parseSpec(spec).file);
  const other = fs.existsSync(file) ? installed(fs.realpathSync(file)) : null;
  const starter = other === null ? './src/start.js' : path.join(other, 'src', 'start.js');
  require(starter).start(spec);
}
