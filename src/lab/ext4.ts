import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Kit } from './kit.ts';
import { type LabTools, runLabTool } from './lab-tools.ts';
import { programOf } from './shared-libraries.ts';

// Everything named here, so that the host's /etc/mke2fs.conf has no say.
const features = 'has_journal,extent,filetype,sparse_super,large_file,dir_index,metadata_csum';

/** Makes an ext4 file system on a raw image, holding one file, with the kit's own mke2fs. */
export async function makeExt4(
  kit: Kit,
  tools: LabTools,
  image: string,
  file: { readonly name: string; readonly data: Uint8Array },
): Promise<void> {
  const content = await mkdtemp(join(dirname(image), 'content-'));
  try {
    const configuration = join(content, 'mke2fs.conf');
    await writeFile(configuration, '[defaults]\n');
    const root = join(content, 'root');
    await mkdir(root);
    await writeFile(join(root, file.name), file.data);
    // Tables are written now, or the guest would go on writing them behind the workload's back.
    const lazy = 'lazy_itable_init=0,lazy_journal_init=0,nodiscard';
    const settings = ['-q', '-F', '-b', '4096', '-I', '256', '-N', '256', '-J', 'size=4'];
    const options = [...settings, '-O', `none,${features}`, '-E', lazy, '-d', root, image];
    const [program, ...args] = programOf(kit.programs, 'sbin/mke2fs', options);
    await runLabTool(tools, ['env', `MKE2FS_CONFIG=${configuration}`, program, ...args]);
  } finally {
    await rm(content, { recursive: true, force: true });
  }
}

/**
 * Copies a file out of the ext4 file system on a raw image, to `into`; the journal is not replayed.
 * What is not there is not copied either: see whether `into` exists.
 */
export async function copyFromExt4(
  kit: Kit,
  tools: LabTools,
  image: string,
  path: string,
  into: string,
): Promise<void> {
  // A request is split at spaces; quotes keep a path whole.
  const request = `dump "${path}" "${into}"`;
  await runLabTool(tools, programOf(kit.programs, 'sbin/debugfs', ['-R', request, image]));
}
