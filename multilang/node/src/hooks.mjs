// The resolve hook for Node before 22.15: `galewire` is the package that runs the component.
// Runs in Node's loader thread.

const FILES = { galewire: 'index.mjs', 'galewire/testkit': 'testkit.mjs' };
let home;

export function initialize(folder) {
  home = folder;
}

export async function resolve(specifier, context, next) {
  if (!Object.hasOwn(FILES, specifier)) return next(specifier, context);
  return { url: `${home}/${FILES[specifier]}`, format: 'module', shortCircuit: true };
}
