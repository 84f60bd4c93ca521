// Makes `import … from 'galewire'` work in any program: node --import <dir>/galewire/register.mjs --test

import { createRequire } from 'node:module';
import path from 'node:path';

createRequire(import.meta.url)('./src/provide.js').provide(path.resolve('file.mjs'), true);
