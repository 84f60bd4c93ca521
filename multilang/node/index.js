// The package's public words, for require().
'use strict';

const { bolt, batchBolt, spout, Bolt, BatchBolt, Spout } = require('./src/components.js');
const { emit, message, Fail, Emit, Message, UsageError } = require('./src/values.js');
const { rawJson, RawJson } = require('./src/encode.js');
const { meta } = require('./src/tuple.js');

module.exports = { bolt, batchBolt, spout, Bolt, BatchBolt, Spout, emit, message, Fail, rawJson, meta, Emit, Message, RawJson, UsageError };
