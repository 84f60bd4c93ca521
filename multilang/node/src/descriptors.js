// Takes the pipes to the engine away from descriptors 0 and 1, so that nothing else can read or write them.
// Node has no dup: opening /proc/self/fd/N gives the same pipe again on Linux, and an open right after a close takes
// the freed number. Afterwards 0 is /dev/null and 1 is stderr, for grandchildren too. Elsewhere 0 and 1 are used as they are.
'use strict';

const fs = require('node:fs');

const { O_RDONLY, O_WRONLY, O_NONBLOCK, O_APPEND } = fs.constants;

/** `{ input, output, isPrivate }`; private descriptors never block. */
function takeDescriptors() {
  const shared = { input: 0, output: 1, isPrivate: false };
  if (process.platform !== 'linux' || !fs.fstatSync(0).isFIFO() || !fs.fstatSync(1).isFIFO()) return shared;
  const opened = [];
  try {
    opened.push(fs.openSync('/proc/self/fd/0', O_RDONLY | O_NONBLOCK));
    opened.push(fs.openSync('/proc/self/fd/1', O_WRONLY | O_NONBLOCK));
  } catch (error) {
    // A pipe of another user cannot be opened again; the shared descriptors still work.
    opened.forEach((fd) => fs.closeSync(fd));
    if (error.code === 'EACCES' || error.code === 'ENOENT') return shared;
    throw error;
  }
  replace(0, '/dev/null', O_RDONLY);
  if (!replace(1, '/proc/self/fd/2', O_WRONLY | O_APPEND)) replace(1, '/dev/null', O_WRONLY);
  return { input: opened[0], output: opened[1], isPrivate: true };
}

/** Puts another file under the number `fd`. */
function replace(fd, file, flags) {
  if (isOpen(fd)) fs.closeSync(fd);
  let got;
  try {
    got = fs.openSync(file, flags);
  } catch (error) {
    if (error.code === 'EACCES' || error.code === 'ENXIO' || error.code === 'ENOENT') return false;
    throw error;
  }
  if (got === fd) return true;
  fs.closeSync(got);
  return false;
}

function isOpen(fd) {
  try {
    fs.fstatSync(fd);
    return true;
  } catch (error) {
    if (error.code === 'EBADF') return false;
    throw error;
  }
}

module.exports = { takeDescriptors };
