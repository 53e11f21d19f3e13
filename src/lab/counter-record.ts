/**
 * What the workload writes to every disk, in a layout that is the same on a raw disk (from its first
 * byte) and in the file `/counter` of a file system:
 * - at 0, a record of 512 bytes that each tick rewrites
 * - from 1 MiB on, 16 records 64 KiB apart (so that each has a qcow2 cluster of its own), of which
 *   every eighth tick rewrites the next. They show a disk that is a mix of two times, as a merge
 *   into a wrong base makes it, even where the first record looks right.
 */
export const layout = {
  recordBytes: 512,
  ringStartBytes: 1024 * 1024,
  ringStepBytes: 64 * 1024,
  ringSlots: 16,
  ringEveryTicks: 8,
  totalBytes: 2 * 1024 * 1024,
} as const;

/** One record: the counter, and the boot of the guest that wrote it (8 hex digits). */
export type CounterRecord = { readonly n: number; readonly boot: string };

/** Of a whole area: the counter, and the counter in each slot of the ring (null: never written). */
export type CounterArea = CounterRecord & { readonly ring: readonly (number | null)[] };

/** The low 32 bits of (n xor boot) * 2654435761, as the workload's shell computes them. */
export function recordSum({ n, boot }: CounterRecord): number {
  return Math.imul(n ^ Number.parseInt(boot, 16), 2654435761 | 0) >>> 0;
}

/** A record as it is on disk, without the spaces and the newline that fill its 512 bytes. */
export function recordText(record: CounterRecord): string {
  return `domsnap n=${record.n} boot=${record.boot} sum=${recordSum(record)}`;
}

/** Parses a record; null if it is none or its checksum is wrong. */
export function parseRecord(text: string): CounterRecord | null {
  const found = /^domsnap n=(\d{1,9}) boot=([0-9a-f]{8}) sum=(\d{1,10})\s*$/.exec(text);
  if (!found) return null;
  const record = { n: Number(found[1]), boot: found[2]! };
  return recordSum(record) === Number(found[3]) ? record : null;
}

/**
 * An area in which the counter stands at 0 and no slot is written. It holds no zeros, so that every
 * block of it is allocated from the start: the workload's writes then change no file system metadata,
 * and the file can be read offline without replaying the journal.
 */
export function blankArea(): Buffer {
  const area = Buffer.alloc(layout.totalBytes, '.');
  area.fill(' ', 0, layout.recordBytes - 1);
  area.write(recordText({ n: 0, boot: '00000000' }), 0, 'latin1');
  area.write('\n', layout.recordBytes - 1, 'latin1');
  return area;
}

/** Which counter each slot must hold when the counter stands at `n`: null where it was not reached. */
export function expectedRing(n: number): (number | null)[] {
  const { ringSlots, ringEveryTicks } = layout;
  const round = ringSlots * ringEveryTicks;
  return Array.from({ length: ringSlots }, (_, slot) => {
    const newest = n - ((((n - slot * ringEveryTicks) % round) + round) % round);
    return newest > 0 ? newest : null;
  });
}

/**
 * Reads an area. Throws an Error that says what is wrong when the disk cannot be of one single
 * moment: a broken record, or a ring that does not hold what it held at the counter's time. The slot
 * of the very tick that is being written may still hold the round before.
 */
export function parseArea(area: Buffer): CounterArea {
  const recordAt = (at: number) => area.toString('latin1', at, at + layout.recordBytes);
  const first = parseRecord(recordAt(0));
  if (!first) throw new Error(`no valid counter record, but ${JSON.stringify(recordAt(0).trim())}`);
  const ring = Array.from({ length: layout.ringSlots }, (_, slot) => {
    const text = recordAt(layout.ringStartBytes + slot * layout.ringStepBytes);
    if (text === '.'.repeat(layout.recordBytes)) return null;
    const record = parseRecord(text);
    if (!record) throw new Error(`slot ${slot} of the ring is broken: ${JSON.stringify(text)}`);
    return record.n;
  });
  const before = expectedRing(first.n - 1);
  expectedRing(first.n).forEach((expected, slot) => {
    if (ring[slot] === expected || ring[slot] === before[slot]) return;
    throw new Error(
      `a mix of times: the counter is ${first.n}, but slot ${slot} holds ${ring[slot]}, not ${expected}`,
    );
  });
  return { ...first, ring };
}
