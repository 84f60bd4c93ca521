// Makes `import ... from 'galewire'` and `require('galewire')` work in the user's file with nothing installed.
// Does nothing where the file has a galewire of its own; then `run.mjs` runs that one.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const module_ = require('node:module');
const { pathToFileURL } = require('node:url');

const HOME = path.dirname(__dirname);

/** The folder of a galewire in a `node_modules` beside or above the file; null where there is none. */
function installed(file) {
  for (let at = path.dirname(file); ; at = path.dirname(at)) {
    const folder = path.join(at, 'node_modules', 'galewire');
    if (fs.existsSync(path.join(folder, 'package.json'))) return fs.realpathSync(folder);
    if (at === path.dirname(at)) return null;
  }
}

const FILES = { galewire: 'index', 'galewire/testkit': 'testkit' };

/** Lets the file, and what it loads, find this package. */
function provide(file, isModule) {
  if (installed(file) === HOME) return;
  if (module_.registerHooks) return provideInThread();
  provideForRequire();
  if (!isModule) return;
  if (!module_.register) {
    throw new Error(
      `Node ${process.versions.node} cannot find galewire for an ES module: use Node 18.19 or newer, ` +
        'install galewire beside the file (npm install), or use require() in a .cjs file',
    );
  }
  // A thread of its own, about 30 ms; only Node before 22.15 needs it.
  module_.register('./hooks.mjs', { parentURL: pathToFileURL(__filename).href, data: pathToFileURL(HOME).href });
}

function provideInThread() {
  module_.registerHooks({
    resolve(specifier, context, next) {
      if (!Object.hasOwn(FILES, specifier)) return next(specifier, context);
      // An array for import, a Set for require.
      const extension = [...context.conditions].includes('import') ? 'mjs' : 'js';
      return { url: pathToFileURL(path.join(HOME, `${FILES[specifier]}.${extension}`)).href, shortCircuit: true };
    },
  });
}

function provideForRequire() {
  const resolve = module_._resolveFilename;
  module_._resolveFilename = function (request, ...rest) {
    if (Object.hasOwn(FILES, request)) return path.join(HOME, `${FILES[request]}.js`);
    return resolve.call(this, request, ...rest);
  };
}

module.exports = { provide, installed };
