import { createHash } from 'node:crypto';
import { existsSync, globSync, realpathSync, statSync } from 'node:fs';
import {
  copyFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Kit } from '../../src/lab/kit.ts';
import { runLabTool } from '../../src/lab/lab-tools.ts';
import { parseLibraryList, programOf } from '../../src/lab/shared-libraries.ts';
import { tools } from './tools.ts';

/** What the lab host runs beside domsnap itself and busybox: this machine's own. */
const PROGRAMS = ['qemu-system-x86_64', 'qemu-img', 'flock', 'cp'];

/** QEMU's own: its accelerator is a module of its own in Debian 12, its firmware lies in files. */
const QEMU_FILES = [
  '/usr/lib/*/qemu/accel-tcg-x86_64.so',
  '/usr/share/seabios/bios-256k.bin',
  '/usr/share/qemu/bios-256k.bin',
  '/usr/share/qemu/kvmvapic.bin',
  '/usr/share/seabios/vgabios-stdvga.bin',
];

/** Folders that the lab host mounts something on. */
const EMPTY = ['proc', 'sys', 'dev', 'run', 'tmp', 'root', 'etc', 'var/lib/domsnap', 'domsnap'];

/** What programs call by these paths; the rest of busybox is in the session's PATH. */
const LINKS: Readonly<Record<string, string>> = {
  'bin/sh': '/bin/busybox',
  'usr/bin/env': '/bin/busybox',
  'usr/local/bin/domsnap': '/domsnap/dist/cli/main.js',
};

const IMAGE_BYTES = 512 * 1024 * 1024;

/**
 * The lab host's root: an ext4 image of this machine's Node, QEMU and their libraries, each under its
 * own path. It is kept in the cache (180 MB, made in 3 s), and made anew when one of them changes.
 */
export async function rootImage(cacheFolder: string, kit: Kit): Promise<string> {
  const files = await filesOf(kit);
  const facts = [...files].map(([to, from]) => {
    const { size, mtimeMs } = statSync(from);
    return `${to} ${from} ${size} ${mtimeMs}`;
  });
  const all = JSON.stringify([facts, EMPTY, LINKS]);
  const digest = createHash('sha256').update(all).digest('hex').slice(0, 12);
  const image = join(cacheFolder, `power-cut-root-${digest}.ext4`);
  if (existsSync(image)) return image;
  for (const old of globSync(join(cacheFolder, 'power-cut-root-*'))) await rm(old, { force: true });
  const work = await mkdtemp(join(cacheFolder, 'making-'));
  try {
    const root = join(work, 'root');
    for (const folder of EMPTY) await mkdir(join(root, folder), { recursive: true });
    for (const [to, from] of files) {
      await mkdir(dirname(join(root, to)), { recursive: true });
      await copyFile(from, join(root, to));
    }
    for (const [path, target] of Object.entries(LINKS)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await symlink(target, join(root, path));
    }
    await makeFileSystem(kit, root, join(work, 'image'), IMAGE_BYTES);
    await rename(join(work, 'image'), image);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return image;
}

/** A file system of the content of a folder, with a journal of 4 MiB; what was never written takes no room. */
export async function makeFileSystem(
  kit: Kit,
  folder: string,
  image: string,
  bytes: number,
): Promise<void> {
  await writeFile(image, '', { mode: 0o600 });
  await truncate(image, bytes);
  const configuration = `${image}.conf`;
  await writeFile(configuration, '[defaults]\n');
  const features =
    'has_journal,extent,filetype,sparse_super,large_file,dir_index,metadata_csum,64bit';
  const lazy = 'lazy_itable_init=0,lazy_journal_init=0,nodiscard';
  const settings = ['-q', '-F', '-b', '4096', '-I', '256', '-N', '4096', '-J', 'size=4'];
  const options = [...settings, '-O', `none,${features}`, '-E', lazy, '-d', folder, image];
  const [program, ...args] = programOf(kit.programs, 'sbin/mke2fs', options);
  try {
    await runLabTool(tools, ['env', `MKE2FS_CONFIG=${configuration}`, program, ...args]);
  } finally {
    await rm(configuration, { force: true });
  }
}

/** Where each file is to lie in the lab host, and where it lies here. */
async function filesOf(kit: Kit): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  files.set('/bin/busybox', join(kit.programs, 'sbin/busybox'));
  const node = realpathSync(process.execPath);
  const programs: [string, string][] = [['/usr/local/bin/node', node]];
  for (const name of PROGRAMS) {
    const { stdout } = await runLabTool(tools, ['sh', '-c', 'command -v -- "$0"', name]);
    programs.push([join('/usr/bin', name), realpathSync(stdout.trim())]);
  }
  for (const path of QEMU_FILES.flatMap(pattern => globSync(pattern))) programs.push([path, path]);
  for (const [to, from] of programs) {
    files.set(to, from);
    if (from.endsWith('.bin')) continue;
    for (const library of await librariesOf(from)) files.set(library, library);
  }
  files.set('/lib64/ld-linux-x86-64.so.2', '/lib64/ld-linux-x86-64.so.2');
  return files;
}

async function librariesOf(program: string): Promise<readonly string[]> {
  return parseLibraryList((await runLabTool(tools, ['ldd', program])).stdout);
}
