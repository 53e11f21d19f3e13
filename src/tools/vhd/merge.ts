import { ToolError } from '../tool-error.ts';
import { fillPiece, heldSectors, holdsAny, type Piece, pieceAt, type VhdImage } from './image.ts';
import { VhdWriter } from './writer.ts';

/** How a long copy is watched, and called off. */
export interface Watch {
  readonly signal: AbortSignal;
  readonly progress: (progress: { done: number; total: number; unit: 'bytes' }) => void;
}

/** The size of most makers' blocks: one is read, put together and written at a time. */
const PIECE_BYTES = 2 * 2 ** 20;

/**
 * Copy into `top` what it would no longer see without the layers `below` it, topmost first. `complete`:
 * nothing is to be below it any more, and each block that it has is filled, for QEMU reads blocks as a
 * whole. The writer is to be finished by the caller. Throws ToolError `aborted`.
 */
export async function pullUp(
  top: VhdImage,
  below: readonly VhdImage[],
  complete: boolean,
  watch: Watch,
): Promise<VhdWriter> {
  const writer = await VhdWriter.on(top);
  const needed = (at: number, lengthBytes: number) =>
    (complete && holdsAny(top, at, lengthBytes)) ||
    below.some(layer => holdsAny(layer, at, lengthBytes));
  await eachPiece(top, needed, watch, async piece => {
    const { at, bytes, found } = piece;
    const held = await heldSectors(top, piece);
    found.set(held);
    for (const layer of below) await fillPiece(layer, piece);
    // A block of zeros over nothing needs no place.
    const blank = !holdsAny(top, at, bytes.length) && !bytes.some(byte => byte !== 0);
    if (complete && blank) return;
    const wanted = found.map((is, sector) =>
      held[sector] === 0 && (is === 1 || complete) ? 1 : 0,
    );
    await writer.write(piece, wanted);
  });
  return writer;
}

/**
 * Write down into `base` all that the layers `above` it hold, topmost first, and nothing else of it.
 * Done again, it writes the same. Throws ToolError `aborted`.
 */
export async function writeDown(
  base: VhdImage,
  above: readonly VhdImage[],
  watch: Watch,
): Promise<void> {
  const writer = await VhdWriter.on(base);
  try {
    const needed = (at: number, lengthBytes: number) =>
      above.some(layer => holdsAny(layer, at, lengthBytes));
    await eachPiece(base, needed, watch, async piece => {
      for (const layer of above) await fillPiece(layer, piece);
      await writer.write(piece, piece.found);
    });
    await writer.finish();
  } catch (error) {
    await writer.abandon().catch(() => undefined);
    throw error;
  }
}

/** Work on the pieces of a disk of which something is needed; of the others nothing is even made. */
async function eachPiece(
  { head }: VhdImage,
  needed: (at: number, lengthBytes: number) => boolean,
  { signal, progress }: Watch,
  work: (piece: Piece) => Promise<void>,
): Promise<void> {
  const { path, footer } = head;
  const total = footer.sizeBytes;
  for (let done = 0; done < total; done += PIECE_BYTES) {
    const lengthBytes = Math.min(PIECE_BYTES, total - done);
    if (!needed(done, lengthBytes)) continue;
    if (signal.aborted) {
      throw new ToolError('file', 'aborted', `the copying into ${path} was called off`, { path });
    }
    progress({ done, total, unit: 'bytes' });
    await work(pieceAt(done, lengthBytes));
  }
}
