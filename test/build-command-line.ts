/** What vitest runs before the first test. */
export { bundleCommandLine as setup } from '../src/setup/bundle-command-line.ts';
