import { mkdtempSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ArchiveEntry, cpioArchive } from '../../src/lab/cpio.ts';
import type { Kit } from '../../src/lab/kit.ts';
import { bundleCommandLine } from '../../src/setup/bundle-command-line.ts';
import { initScript, sessionScript } from './init-script.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const UNIT = 'src/setup/domsnap-recover.service';

/**
 * The lab host's first root: drivers, and what changes from one run to the next: domsnap as it is now,
 * bundled as for publishing, and its unit. `extra` files lie beside them, in `/domsnap`.
 */
export async function initramfs(
  kit: Kit,
  path: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<void> {
  const entries: ArchiveEntry[] = [];
  const add = (name: string, data: Uint8Array) => entries.push({ path: name, mode: 0o755, data });
  for (const folder of ['proc', 'sys', 'dev', 'new']) entries.push({ path: folder, mode: 0o755 });
  const modules = join(kit.folder, 'modules');
  for (const name of (await readdir(modules)).sort())
    add(`modules/${name}`, await readFile(join(modules, name)));
  add('bin/busybox', await readFile(join(kit.programs, 'sbin/busybox')));
  add('init', Buffer.from(initScript));
  add('domsnap/session', Buffer.from(sessionScript));
  add('domsnap/domsnap-recover.service', await readFile(join(ROOT, UNIT)));
  add('domsnap/package.json', await readFile(join(ROOT, 'package.json')));
  for (const [name, from] of Object.entries(extra)) add(`domsnap/${name}`, await readFile(from));
  for (const [name, data] of await commandLine()) add(`domsnap/dist/cli/${name}`, data);
  await writeFile(path, cpioArchive(entries));
}

/** The command line as it is published, without touching what was built before. */
async function commandLine(): Promise<ReadonlyMap<string, Buffer>> {
  const folder = mkdtempSync(join(tmpdir(), 'domsnap-bundle-'));
  try {
    await bundleCommandLine(folder);
    const files = new Map<string, Buffer>();
    for (const name of await readdir(folder)) files.set(name, await readFile(join(folder, name)));
    return files;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
