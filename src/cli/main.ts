#!/usr/bin/env node
import module from 'node:module';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  console.error(`domsnap: this is Node ${process.versions.node}; domsnap needs 24.15 or newer`);
  process.exit(3);
}
// Before anything else is loaded: what follows is compiled once for all runs.
module.enableCompileCache();
// zod compiles each schema when it is first used; a command uses each too rarely to earn that back, and
// the first use of some lies where the guest stands still.
Object.assign(globalThis, { __zod_globalConfig: { jitless: true } });

const [, , word, home, operation] = process.argv;
if (word === 'rescue' && home && operation) {
  // The watchdog's own way in, where every millisecond may be one of a guest that stands still.
  const { rescue } = await import('./rescue.ts');
  await rescue(home, operation);
}
const { runCommandLine } = await import('./run-command-line.ts');
await runCommandLine(process.argv);
