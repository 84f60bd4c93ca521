// Finds and imports the user's file and picks the component that was named.
// Words the mistakes that people make with file and export names.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { createRequire } = require('node:module');
const { pathToFileURL } = require('node:url');

const { describe } = require('./components.js');
const { provide } = require('./provide.js');

/** `word_count.mjs:split` to its parts; the name may be left out where the file exports one component. */
function parseSpec(spec) {
  const at = spec.lastIndexOf(':');
  return at <= 0 ? { file: spec, name: null } : { file: spec.slice(0, at), name: spec.slice(at + 1) || null };
}

/** Why there is no component; the message says all there is to know. */
class LoadError extends Error {
  constructor(message) {
    super(message);
    this.name = 'LoadError';
  }
}

/** Imports the file and returns the exported component. */
async function load(spec) {
  const { file, name } = parseSpec(spec);
  const wanted = path.resolve(file);
  if (!fs.existsSync(wanted)) throw new LoadError(`there is no file ${file} in ${process.cwd()}`);
  const found = fs.realpathSync(wanted);
  const isModule = isEsm(found);
  provide(found, isModule);
  return pick(isModule ? await importFile(found) : createRequire(found)(found), name, file);
}

/** Imports an ES module. Node does not tell the line of a syntax error in one: that is asked for. */
async function importFile(file) {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
    const at = stderr?.indexOf('\n    at ') ?? -1;
    throw at < 0 ? error : new LoadError(stderr.slice(0, at).trim());
  }
}

/** Must the file be loaded as an ES module? */
function isEsm(file) {
  const extension = path.extname(file);
  if (extension === '.mjs' || extension === '.mts') return true;
  if (extension === '.cjs' || extension === '.cts') return false;
  const type = packageType(path.dirname(file));
  if (type !== undefined) return type === 'module';
  return /^\s*(import\s*["'{*\w]|export\s)/m.test(fs.readFileSync(file, 'utf8'));
}

/** `type` of the nearest package.json. */
function packageType(folder) {
  for (let at = folder; ; at = path.dirname(at)) {
    const file = path.join(at, 'package.json');
    if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8')).type;
    if (at === path.dirname(at)) return undefined;
  }
}

function pick(loaded, name, file) {
  const exported = { ...(isObject(loaded.default) ? loaded.default : {}), ...loaded };
  if (name !== null) return named(exported, name, file);
  if (describe(loaded.default ?? loaded)) return loaded.default ?? loaded;
  const components = Object.entries(exported).filter(([, value]) => describe(value));
  if (components.length === 1) return components[0][1];
  throw new LoadError(
    components.length === 0
      ? `${file} exports no component; wrap a function: export const name = bolt(function* ({ field }) { ... })`
      : `${file} exports several components; name one: ${components.map(([key]) => `${file}:${key}`).join(', ')}`,
  );
}

function named(exported, name, file) {
  if (!(name in exported)) {
    const names = Object.keys(exported).filter((key) => describe(exported[key]));
    throw new LoadError(`${file} does not export ${name}; its components are: ${names.join(', ') || 'none'}`);
  }
  if (describe(exported[name])) return exported[name];
  throw new LoadError(
    `${name} in ${file} is no component; wrap the function with bolt(...), batchBolt(...) or spout(...), ` +
      'or extend the class from Bolt, BatchBolt or Spout',
  );
}

const isObject = (value) => typeof value === 'object' && value !== null;

module.exports = { LoadError, load, parseSpec };
