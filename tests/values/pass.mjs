import { bolt, rawJson } from 'galewire';

export const raw = bolt((tuple) => [tuple.n, rawJson(tuple.raw(1))]);
export const parsed = bolt((tuple) => [tuple.n, tuple.value]);
