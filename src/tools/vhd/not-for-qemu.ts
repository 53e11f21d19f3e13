import { isRegularFile } from '../file-facts.ts';
import { ToolError } from '../tool-error.ts';
import { openFile, readUpTo, SECTOR_BYTES } from './bytes.ts';
import { parseFooter, type VhdType } from './footer.ts';
import { readVhdHead } from './head.ts';

/** Why a differencing VHD goes to nobody but domsnap. */
export const READS_ZEROS =
  'is a differencing VHD: QEMU would read all that its parent holds as zeros, without a word';

/**
 * QEMU opens a differencing VHD as if it were complete. To be asked before it, or qemu-img, is given an
 * image of the format `vpc`. Throws ToolError `refused`, and as `readVhdHead`.
 */
export async function mustNotDiffer(path: string): Promise<void> {
  if ((await typeOf(path)) !== 'differencing') return;
  throw new ToolError('file', 'refused', `${path} ${READS_ZEROS}`, { path });
}

/** On a device nobody knows where the end of the VHD is; QEMU goes by the beginning alone. */
async function typeOf(path: string): Promise<VhdType | undefined> {
  if (await isRegularFile(path)) return (await readVhdHead(path)).footer.type;
  const file = await openFile(path, 'r');
  try {
    return parseFooter(path, await readUpTo(file, 0, SECTOR_BYTES))?.type;
  } finally {
    await file.close();
  }
}
