import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { imageMark } from '../../../src/tools/image-mark.ts';
import { imageInfo } from '../../../src/tools/qemu-img.ts';
import { ToolError } from '../../../src/tools/tool-error.ts';
import { childBytes } from '../../../src/tools/vhd/create-child.ts';
import { changedFooter, parseFooter } from '../../../src/tools/vhd/footer.ts';
import { readVhdHead } from '../../../src/tools/vhd/head.ts';
import { openVhd } from '../../../src/tools/vhd/image.ts';
import { tempFolder } from '../temp-folder.ts';

const MIB = 2 ** 20;
const quiet = { log: () => {}, shared: false };

function vhd(options: string, sizeBytes = 5 * MIB): string {
  const path = join(tempFolder(), 'a.vhd');
  const make = ['create', '-q', '-f', 'vpc', '-o', options, path, String(sizeBytes)];
  execFileSync('qemu-img', make);
  return path;
}

test.each([
  'subformat=dynamic',
  'subformat=dynamic,force_size=on',
  'subformat=fixed',
  'subformat=fixed,force_size=on',
])('the size that QEMU shows its guest is known without it: %s', async options => {
  const path = vhd(options, 5 * MIB + 512 * 3);
  const { footer } = await readVhdHead(path);
  const { virtualSizeBytes } = await imageInfo(path, 'vpc', quiet);
  expect(footer.guestBytes).toBe(virtualSizeBytes);
  expect(footer.type).toBe(/=(\w+)/.exec(options)?.[1]);
});

test('a footer of which a byte has changed is none', () => {
  const bytes = readFileSync(vhd('subformat=fixed')).subarray(-512);
  expect(parseFooter('x', bytes)).toBeDefined();
  fc.assert(
    fc.property(fc.nat(511), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const other = Buffer.from(bytes);
      other[at] = ((other[at] ?? 0) + by) & 0xff;
      expect(parseFooter('x', other)).toBeUndefined();
    }),
  );
});

test('two footers that contradict each other are not chosen between', async () => {
  const path = vhd('subformat=fixed,force_size=on');
  const { footer } = await readVhdHead(path);
  // What a guest may write to its first sector: QEMU would take the disk for a dynamic one.
  const whole = readFileSync(path);
  changedFooter(footer, { type: 'differencing', headerAt: 512 }).copy(whole, 0);
  writeFileSync(path, whole);
  await expect(readVhdHead(path)).rejects.toThrow('contradict');
});

test('a VHD that has lost its footer at the end is read by the one in front, and not the other way', async () => {
  const path = vhd('subformat=dynamic');
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, -512));
  expect(await readVhdHead(path)).toMatchObject({ endFooter: false });
  writeFileSync(path, Buffer.concat([Buffer.alloc(512), whole.subarray(512)]));
  await expect(readVhdHead(path)).rejects.toThrow('beginning');
});

test('a table that leads out of the file, or twice to one place, is not followed', async () => {
  const path = vhd('subformat=dynamic');
  const whole = readFileSync(path);
  const table = Number(whole.readBigUInt64BE(512 + 16));
  for (const entries of [[0x7fffffff], [1, 1]]) {
    const bad = Buffer.from(whole);
    for (const [index, entry] of entries.entries()) bad.writeUInt32BE(entry, table + index * 4);
    writeFileSync(path, bad);
    await expect(openVhd(path)).rejects.toThrow('in a place where none can be');
  }
});

test('a child that anybody has changed anywhere is read or refused, and no more', async () => {
  const base = vhd('subformat=dynamic');
  const path = join(base, '..', 'child.vhd');
  const whole = await childBytes(path, base, Date.UTC(2026, 0, 1));
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.uint8Array({ maxLength: 40 }),
      async (at, put) => {
        const changed = Buffer.from(whole);
        changed.set(put.slice(0, changed.length - at), at);
        writeFileSync(path, changed);
        await readVhdHead(path).catch(error => expect(error).toBeInstanceOf(ToolError));
      },
    ),
    { numRuns: 60 },
  );
});

test('QEMU’s tools are not given a differencing VHD', async () => {
  const base = vhd('subformat=dynamic');
  const path = join(base, '..', 'child.vhd');
  writeFileSync(path, await childBytes(path, base, 0));
  const said = { code: 'refused', message: expect.stringContaining('as zeros') };
  await expect(imageInfo(path, 'vpc', quiet)).rejects.toMatchObject(said);
});

test('a fixed VHD has its mark at its end; a raw disk has none', async () => {
  const path = vhd('subformat=fixed');
  expect(await imageMark(path)).toBe('vpc');
  writeFileSync(path, readFileSync(path).subarray(0, -512));
  expect(await imageMark(path)).toBeUndefined();
});
