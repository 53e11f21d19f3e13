import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveEntry, cpioArchive } from './cpio.ts';
import type { Kit } from './kit.ts';
import { workloadScript } from './workload.ts';

const executable = 0o755;
const emptyFolders = ['proc', 'sys', 'dev', 'run', 'ram', 'mnt', 'tmp'];

// What qemu-ga's guest-shutdown calls.
const shutdownScript = '#!/bin/busybox sh\nsync\npoweroff -f\n';

/**
 * The guest's first root, made of the kit's programs and the workload; returns its path in the kit.
 * Not compressed: under emulation unpacking costs 0.3 s more than loading 10 MB does.
 */
export async function labInitramfs(kit: Kit): Promise<string> {
  const archive = cpioArchive(await entriesOf(kit));
  // Guests that run were started from older ones, whose names thus stay.
  const digest = createHash('sha256').update(archive).digest('hex').slice(0, 12);
  const path = join(kit.folder, `initramfs-${digest}.cpio`);
  if (existsSync(path)) return path;
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, archive);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  return path;
}

async function entriesOf(kit: Kit): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = emptyFolders.map(path => ({ path, mode: executable }));
  const addFile = async (path: string, from: string) => {
    entries.push({ path, mode: executable, data: await readFile(from) });
  };
  for (const name of (await readdir(join(kit.folder, 'modules'))).sort())
    await addFile(`modules/${name}`, join(kit.folder, 'modules', name));
  await addFile('bin/busybox', join(kit.programs, 'sbin', 'busybox'));
  await addFile('sbin/qemu-ga', join(kit.programs, 'sbin', 'qemu-ga'));
  for (const name of (await readdir(join(kit.programs, 'lib'))).sort())
    await addFile(`lib/${name}`, join(kit.programs, 'lib', name));
  entries.push({
    path: 'lib64/ld-linux-x86-64.so.2',
    mode: executable,
    link: '/lib/ld-linux-x86-64.so.2',
  });
  entries.push({ path: 'sbin/shutdown', mode: executable, data: Buffer.from(shutdownScript) });
  entries.push({ path: 'init', mode: executable, data: Buffer.from(workloadScript) });
  return entries;
}
