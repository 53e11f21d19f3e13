import { describe, expect, test } from 'vitest';
import {
  blankArea,
  expectedRing,
  layout,
  parseArea,
  parseRecord,
  recordText,
} from '../../src/lab/counter-record.ts';

const boot = '9f2f67d6';

/** An area as the workload leaves it after tick `n`. */
function areaAt(n: number): Buffer {
  const area = blankArea();
  const put = (value: number, at: number) =>
    area.write(`${recordText({ n: value, boot }).padEnd(layout.recordBytes - 1)}\n`, at, 'latin1');
  put(n, 0);
  expectedRing(n).forEach((value, slot) => {
    if (value !== null) put(value, layout.ringStartBytes + slot * layout.ringStepBytes);
  });
  return area;
}

const ringBytes = [layout.ringStartBytes, layout.totalBytes] as const;

describe('the counter on a disk', () => {
  test('a record that the shell of the guest wrote is read', () => {
    const sum = Number((BigInt(97 ^ 0x1f2f67d6) * 2654435761n) & 0xffffffffn);
    expect(parseRecord(`domsnap n=97 boot=1f2f67d6 sum=${sum}   \n`)).toEqual({
      n: 97,
      boot: '1f2f67d6',
    });
  });

  test('a record with one digit changed is none', () => {
    const text = recordText({ n: 1234, boot });
    expect(parseRecord(text)).not.toBeNull();
    expect(parseRecord(text.replace('1234', '1235'))).toBeNull();
    expect(parseRecord(text.replace('9f2f', '8f2f'))).toBeNull();
  });

  test('a fresh area stands at 0 with an empty ring', () => {
    expect(parseArea(blankArea()).n).toBe(0);
    expect(new Set(parseArea(blankArea()).ring)).toEqual(new Set([null]));
  });

  test('every moment of the workload is read as what it is, also before the ring follows', () => {
    for (const n of [1, 7, 8, 9, 127, 128, 129, 1000, 1024]) {
      expect(parseArea(areaAt(n)).n).toBe(n);
      const between = Buffer.concat([areaAt(n).subarray(0, 512), areaAt(n - 1).subarray(512)]);
      expect(parseArea(between).n).toBe(n);
    }
  });

  test('a head of one time over the ring of another is found, in both directions', () => {
    for (const [head, rest] of [
      [200, 160],
      [160, 200],
      [200, 191],
    ] as const) {
      const mixed = areaAt(head);
      areaAt(rest).copy(mixed, ringBytes[0], ...ringBytes);
      expect(() => parseArea(mixed)).toThrow(/a mix of times: the counter is/);
    }
  });

  test('one single cluster of another time is found', () => {
    const mixed = areaAt(300);
    const start = layout.ringStartBytes + 5 * layout.ringStepBytes;
    areaAt(150).copy(mixed, start, start, start + layout.ringStepBytes);
    expect(() => parseArea(mixed)).toThrow(/slot 5 holds/);
  });

  test('a slot with rubbish is found', () => {
    const area = areaAt(300);
    area.write('domsnap n=1', layout.ringStartBytes, 'latin1');
    expect(() => parseArea(area)).toThrow(/slot 0 of the ring is broken/);
  });
});
