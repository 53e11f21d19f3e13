import { openVhd, pieceAt } from '../../../src/tools/vhd/image.ts';
import { VhdWriter } from '../../../src/tools/vhd/writer.ts';

/** Write one value to a VHD of any kind, as a guest of a hypervisor that knows them would. */
export async function writeVhd(
  path: string,
  at: number,
  lengthBytes: number,
  value: number,
): Promise<void> {
  const image = await openVhd(path, 'r+');
  try {
    const writer = await VhdWriter.on(image);
    const piece = pieceAt(at, lengthBytes);
    piece.bytes.fill(value);
    piece.found.fill(1);
    await writer.write(piece, piece.found);
    await writer.finish();
  } finally {
    await image.file.close();
  }
}
