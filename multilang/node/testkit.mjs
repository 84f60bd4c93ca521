// Runs a component in a test, without an engine; the same function as with require().

import testkit from './testkit.js';

export const { run } = testkit;
export default testkit;
