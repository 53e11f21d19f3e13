/**
 * A guest of 512 bytes, since an operating system under two emulators takes minutes to boot: 18 times
 * a second it increments a counter in its memory (at 0x8008, behind the word `MEMCOUNT`), then writes
 * it to its first disk, then to its second, and so to all it has, each time by the BIOS (INT 13h, 43h)
 * and into the ninth sector, behind the word `TICK`. So at every instant memory is as new as the first
 * disk or one tick newer, and so is each disk compared to the next. Behind each counter stands its check.
 *
 *     start: cli; clear ax, ds, es, ss; mov $0x7c00,%sp; sti; cld
 *            read the sector of disk 0x80 to 0x7e00 (42h)        # goes on from what the disk holds
 *            if not `TICK` there: put `TICK` and 0
 *            put `MEMCOUNT` at 0x8000
 *     tick:  incl 0x7e04; mov 0x7e04,%eax; mov %eax,0x8008
 *            xor $0x5a5a5a5a,%eax; mov %eax,0x7e08; mov %eax,0x800c
 *            write 0x7e00 to the sector of disk 0x80, 0x81 and so on (43h), as many as the BIOS counts
 *            at 0x475; hlt; jmp tick
 */
const PROGRAM = [
  'fa31c08ed88ec08ed0bc007cfbfcb280b442be7c7ccd1366813e007e5449',
  '434b741266c706007e5449434b66c706047e0000000066c70600804d454d',
  '4366c70604804f554e5466ff06047e66a1047e66a3088066355a5a5a5a66',
  'a3087e66a30c80b280b80043be7c7c52cd135afec288d02c803a06750475',
  'eaf4ebca10000100007e00000800000000000000',
].join('');

/** What the first disk begins with. */
export function bootSector(): Buffer {
  const sector = Buffer.alloc(512);
  sector.write(PROGRAM, 'hex');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** The guest writes nothing to its disks but one sector, which lies before this. */
export const GUEST_AREA_BYTES = 64 * 1024;

const SECTOR_AT = 8 * 512;
const CHECK = 0x5a5a5a5a;

/** The counter on a disk, by its content; 0 where the guest never ran. Throws where it is torn. */
export function counterOnDisk(content: Buffer): number {
  const sector = content.subarray(SECTOR_AT, SECTOR_AT + 12);
  if (sector.every(byte => byte === 0)) return 0;
  if (sector.toString('latin1', 0, 4) !== 'TICK') throw new Error('no counter on the disk');
  return checked(sector.readUInt32LE(4), sector.readUInt32LE(8));
}

/** The counter in saved memory: in a stream of pages, a later copy of one is the newer. */
export function counterInMemory(file: Buffer): number {
  const at = file.lastIndexOf('MEMCOUNT', undefined, 'latin1');
  if (at < 0) throw new Error('no counter in the saved memory');
  return checked(file.readUInt32LE(at + 8), file.readUInt32LE(at + 12));
}

function checked(count: number, check: number): number {
  if ((count ^ CHECK) >>> 0 !== check) throw new Error(`the counter ${count} is torn`);
  return count;
}
