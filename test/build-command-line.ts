import { dirname } from 'node:path';
import { bundleCommandLine } from '../src/setup/bundle-command-line.ts';
import { CLI } from './command-line.ts';

/** What vitest runs before the first test. */
export const setup = (): Promise<void> => bundleCommandLine(dirname(CLI));
