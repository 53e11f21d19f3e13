import { open, readFile, writeFile } from 'node:fs/promises';
import { LabError } from '../../src/lab/lab-error.ts';
import { runLabTool } from '../../src/lab/lab-tools.ts';

const SECTOR = 512;
const ELF = '\x7fELF';

/**
 * Takes the kernel out of a bzImage (Documentation/x86/boot.rst: `setup_sects`, `payload_offset`,
 * `payload_length`). QEMU starts it as it is (PVH); under emulation a third of the boot was its own
 * unpacking of itself. Debian's is compressed by xz, with a filter that busybox does not know.
 * Throws LabError where what comes out is no kernel, ToolError.
 */
export async function uncompressKernel(image: string, to: string): Promise<void> {
  const all = await readFile(image);
  const setupSectors = all[0x1f1] || 4;
  const start = (setupSectors + 1) * SECTOR + all.readUInt32LE(0x248);
  // Behind the compressed kernel stand four bytes, its size.
  const payload = all.subarray(start, start + all.readUInt32LE(0x24c) - 4);
  const compressed = `${to}.xz`;
  await writeFile(compressed, payload);
  await runLabTool({ log: () => {} }, ['xz', '--decompress', compressed]);
  const file = await open(to);
  try {
    const { buffer } = await file.read({ buffer: Buffer.alloc(4) });
    if (buffer.toString('latin1') !== ELF) throw new LabError(`${image} holds no kernel`);
  } finally {
    await file.close();
  }
}
