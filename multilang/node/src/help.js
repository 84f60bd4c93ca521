// What somebody is told who starts the runner by hand.
'use strict';

const help = `galewire runs a component of a topology over pipes; it is not started by hand.

In the topology:
  [bolts.split]
  node    = "word_count.mjs:split"
  inputs  = ["lines"]
  outputs = ["word"]
then:
  galewire run topology.toml

To try it alone:
  echo '{"line": "a b"}' | galewire bolt topology.toml split
In a test:
  import { run } from 'galewire/testkit';
  const out = await run(split, [{ line: 'a b' }]);
`;

module.exports = { help };
