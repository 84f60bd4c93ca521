// Finds the exact text of a value inside JSON that was already parsed.
// Only `tuple.raw(i)` needs it, so it is lazy and never validates.
'use strict';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;

function skipSpace(text, at) {
  while (at < text.length && text.charCodeAt(at) <= 32) at++;
  return at;
}

function skipString(text, at) {
  for (at++; text.charCodeAt(at) !== QUOTE; at++) if (text.charCodeAt(at) === BACKSLASH) at++;
  return at + 1;
}

/** The index behind the value that starts at `at`. */
function skipValue(text, at) {
  const first = text[at];
  if (first === '"') return skipString(text, at);
  if (first !== '[' && first !== '{') {
    while (at < text.length && !',]} \t\r\n'.includes(text[at])) at++;
    return at;
  }
  for (let depth = 0; ; ) {
    const c = text[at];
    if (c === '"') {
      at = skipString(text, at);
      continue;
    }
    at++;
    if (c === '[' || c === '{') depth++;
    else if ((c === ']' || c === '}') && --depth === 0) return at;
  }
}

/** Start indexes of the elements of the array that starts at `at`. */
function elements(text, at) {
  const starts = [];
  at = skipSpace(text, at + 1);
  while (text[at] !== ']') {
    starts.push(at);
    at = skipSpace(text, skipValue(text, at));
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return starts;
}

/** Start index of the value of `key` in the object that starts at `at`; the last one wins, as in JSON.parse. */
function member(text, at, key) {
  let found = -1;
  at = skipSpace(text, at + 1);
  while (text[at] !== '}') {
    const nameEnd = skipString(text, at);
    const name = JSON.parse(text.slice(at, nameEnd));
    at = skipSpace(text, nameEnd);
    if (text.charCodeAt(at) === COLON) at = skipSpace(text, at + 1);
    if (name === key) found = at;
    at = skipSpace(text, skipValue(text, at));
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return found;
}

/**
 * Where each tuple of a part stands in its frame.
 * `index` is the part's place in the frame's array, or -1 where the frame is the object itself.
 */
function tupleStarts(text, index, compact) {
  let at = skipSpace(text, 0);
  if (index >= 0) at = elements(text, at)[index];
  const list = member(text, at, compact ? 'tuples' : 'tuple');
  return compact ? elements(text, list) : [list];
}

/** The text of value `i` of the tuple that starts at `at`, or undefined where there is no such value. */
function valueText(text, at, i) {
  const start = elements(text, at)[i];
  return start === undefined ? undefined : text.slice(start, skipValue(text, start));
}

module.exports = { tupleStarts, valueText };
