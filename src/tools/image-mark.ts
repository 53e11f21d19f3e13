import { type FileHandle, open } from 'node:fs/promises';
import { fileError } from './file-errors.ts';
import type { ImageFormat } from './image-format.ts';
import { readUpTo, SECTOR_BYTES } from './vhd/bytes.ts';
import { parseFooter } from './vhd/footer.ts';

/**
 * The first bytes of each format, as QEMU's own probes know them (block/*.c). Not of `luks`: a guest that
 * encrypts its whole disk leaves that on a raw one. A VHD of a fixed size has its mark at its end.
 */
const MARKS: readonly {
  readonly format: ImageFormat;
  readonly at: number;
  readonly bytes: string;
}[] = [
  { format: 'qcow2', at: 0, bytes: 'QFI\xfb' },
  { format: 'qed', at: 0, bytes: 'QED\0' },
  { format: 'vmdk', at: 0, bytes: 'KDMV' },
  { format: 'vmdk', at: 0, bytes: '# Disk DescriptorFile' },
  { format: 'vhdx', at: 0, bytes: 'vhdxfile' },
  { format: 'vpc', at: 0, bytes: 'conectix' },
  { format: 'vdi', at: 0x40, bytes: '\x7f\x10\xda\xbe' },
  { format: 'parallels', at: 0, bytes: 'WithoutFreeSpace' },
  { format: 'parallels', at: 0, bytes: 'WithouFreSpacExt' },
];

/** The format that the first or last bytes of a file are the mark of. A guest may have written them. */
export async function imageMark(path: string): Promise<ImageFormat | undefined> {
  const file = await open(path, 'r').catch(cause => {
    throw fileError('open', path, cause);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(128), 0, 128, 0);
    const start = buffer.toString('latin1', 0, bytesRead);
    const mark = MARKS.find(({ at, bytes }) => start.startsWith(bytes, at))?.format;
    return mark ?? ((await isFixedVhd(path, file)) ? 'vpc' : undefined);
  } finally {
    await file.close();
  }
}

/** QEMU probes such a one as raw, and shows its guest the footer. */
async function isFixedVhd(path: string, file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size < 2 * SECTOR_BYTES) return false;
  try {
    const end = await readUpTo(file, size - SECTOR_BYTES, SECTOR_BYTES);
    const footer = parseFooter(path, end);
    return footer?.type === 'fixed' && footer.sizeBytes === size - SECTOR_BYTES;
  } catch {
    return false;
  }
}
