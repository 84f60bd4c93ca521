// Runs a component for the engine: node <dir>/galewire/run.mjs FILE:NAME
// Typed by hand in a terminal it explains itself. Where the file has a galewire installed, that one runs.

import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import fs from 'node:fs';
import path from 'node:path';

const require = createRequire(import.meta.url);
const spec = process.argv[2];

const help = `galewire runs a component of a topology over pipes; it is not started by hand.

In the topology:
  [bolts.split]
  node    = "word_count.mjs:split"
  inputs  = ["lines"]
  outputs = ["word"]
then:
  galewire run topology.toml

To try a component without an engine, use the testkit:
  import { run } from 'galewire/testkit';
  const out = await run(split, [{ line: 'a b' }]);
`;

if (spec === undefined || isatty(0)) {
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
