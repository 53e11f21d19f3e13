import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { badVhd, padded } from './bytes.ts';
import { changedFooter, VHD_BYTES_MAX } from './footer.ts';
import { readVhdHead, type VhdHead } from './head.ts';
import { HEADER_BYTES, type LocatorEntry, newHeader, withParent } from './header.ts';
import { locatorsFor } from './parent-locator.ts';

const BLOCK_BYTES = 2 * 2 ** 20;
const FOOTER_BYTES = 512;

/**
 * The whole content of an empty differencing VHD over `parent`: footer, header, the names of the parent,
 * a table without a block, and the footer again. It has the parent's size, by every way to count it.
 * Throws ToolError as `readVhdHead`; `protocol` for a disk too large for the format, `refused` for a
 * parent whose name a VHD cannot hold.
 */
export async function childBytes(path: string, parent: string, nowMs: number): Promise<Buffer> {
  const base = await readVhdHead(parent);
  const { footer } = base;
  if (footer.sizeBytes > VHD_BYTES_MAX) {
    throw badVhd(parent, 'is larger than 2040 GiB, the most that a differencing VHD can have');
  }
  const names = locatorsFor(path, parent);
  let end = FOOTER_BYTES + HEADER_BYTES;
  const entries: LocatorEntry[] = names.map(({ platform, bytes }) => {
    const at = end;
    end += padded(bytes.length);
    return { platform, at, lengthBytes: bytes.length };
  });
  const blocks = Math.ceil(footer.sizeBytes / BLOCK_BYTES);
  const tableBytes = padded(blocks * 4);
  const header = withParent(newHeader(end, blocks, BLOCK_BYTES), await parentWords(base, entries));
  const uuid = randomBytes(16);
  const change = { type: 'differencing', uuid, nowMs, headerAt: FOOTER_BYTES } as const;
  const own = changedFooter(footer, change);
  const whole = Buffer.alloc(end + tableBytes + FOOTER_BYTES, 0xff);
  whole.fill(0, 0, end);
  own.copy(whole, 0);
  header.copy(whole, FOOTER_BYTES);
  for (const [index, { bytes }] of names.entries()) bytes.copy(whole, entries[index]?.at ?? 0);
  own.copy(whole, end + tableBytes);
  return whole;
}

/** What a child's header says of its parent. */
export async function parentWords(
  { path, footer }: VhdHead,
  locators: readonly LocatorEntry[],
): Promise<Parameters<typeof withParent>[1]> {
  const { mtimeMs } = await stat(path);
  return { uuid: footer.uuid, path, modifiedMs: mtimeMs, locators };
}
