/**
 * What the tests of a lab host have in place of vitest: its own `expect`, and of the rest as much as
 * they use. Under emulation all of vitest takes longer to begin than the host to boot.
 */
import { declareHook } from './collect.ts';

export { expect } from 'vitest';
export { describe, test } from './collect.ts';
export { onTestFinished } from './run-group.ts';

type Hook = (body: () => unknown, timeout?: number) => void;

export const beforeAll: Hook = (body, timeout) => declareHook('beforeAll', body, timeout);
export const afterAll: Hook = (body, timeout) => declareHook('afterAll', body, timeout);
export const beforeEach: Hook = (body, timeout) => declareHook('beforeEach', body, timeout);
export const afterEach: Hook = (body, timeout) => declareHook('afterEach', body, timeout);
