// The package's public words, for import; the same objects as with require().

import galewire from './index.js';

export const { bolt, batchBolt, spout, Bolt, BatchBolt, Spout, emit, message, Fail, rawJson, meta, Emit, Message, RawJson, UsageError } = galewire;
export default galewire;
