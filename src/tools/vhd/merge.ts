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
  for (const piece of piecesOf(top, watch)) {
    const { at, bytes, found } = piece;
    const own = holdsAny(top, at, bytes.length);
    if (!(complete && own) && !below.some(layer => holdsAny(layer, at, bytes.length))) continue;
    const held = await heldSectors(top, piece);
    found.set(held);
    for (const layer of below) await fillPiece(layer, piece);
    // A block of zeros over nothing needs no place.
    if (complete && !own && !bytes.some(byte => byte !== 0)) continue;
    const wanted = found.map((is, sector) =>
      held[sector] === 0 && (is === 1 || complete) ? 1 : 0,
    );
    await writer.write(piece, wanted);
  }
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
    for (const piece of piecesOf(base, watch)) {
      if (!above.some(layer => holdsAny(layer, piece.at, piece.bytes.length))) continue;
      for (const layer of above) await fillPiece(layer, piece);
      await writer.write(piece, piece.found);
    }
    await writer.finish();
  } catch (error) {
    await writer.abandon().catch(() => undefined);
    throw error;
  }
}

function* piecesOf({ head }: VhdImage, { signal, progress }: Watch): Generator<Piece> {
  const { path, footer } = head;
  const total = footer.sizeBytes;
  for (let done = 0; done < total; done += PIECE_BYTES) {
    if (signal.aborted) {
      throw new ToolError('file', 'aborted', `the copying into ${path} was called off`, { path });
    }
    progress({ done, total, unit: 'bytes' });
    yield pieceAt(done, Math.min(PIECE_BYTES, total - done));
  }
}
