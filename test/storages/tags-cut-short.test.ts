import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/engine/system-clock.ts';
import { hostImages } from '../../src/storages/images.ts';
import type { ImageDeed } from '../../src/storages/port.ts';
import { imageCheck } from '../../src/tools/qemu-img.ts';
import { LONG } from '../long.ts';
import { type LoggedRequest, parseWriteLog } from '../power-cut/write-log.ts';
import { contextFor } from './conformance.ts';

/** Every so many requests the power is lost; kills come behind each. */
const STRIDE = LONG ? 1 : 4;

const images = hostImages({ clock: systemClock });
const perform = (deed: ImageDeed, again: boolean) =>
  images.perform(deed, { ...contextFor(), again });

/** What of a command's writes has reached the disk when it ends. */
const ENDS = {
  'is killed': (index: number, count: number) => index < count,
  'loses its power': (index: number, _count: number, flushed: number) => index < flushed,
  'loses its power, and the disk has begun with the newest': (
    index: number,
    count: number,
    flushed: number,
  ) => index < flushed || index === count - 1,
} as const;

describe('a qemu-img that ends in the midst of its work on a tag: the deed is done again, and the image is sound', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const image = { path: '', format: 'qcow2' };
  const tool = (...argv: string[]) =>
    execFileSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8' });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'domsnap-cut-short-'));
    image.path = at('cut');
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', at('before'), '8M');
    for (const [value, tag] of [
      ['1 0 6M', 'low'],
      ['2 1M 1M', 'high'],
      ['3 3M 512k', ''],
    ]) {
      tool('qemu-io', '-f', 'qcow2', '-c', `write -P ${value}`, at('before'));
      if (tag) tool('qemu-img', 'snapshot', '-c', tag, at('before'));
    }
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** What a command writes to the image, in order. */
  function written(...action: string[]): { requests: readonly LoggedRequest[]; log: Buffer } {
    copyFileSync(at('before'), at('whole'));
    writeFileSync(at('log'), '');
    const logged = `file.driver=blklogwrites,file.file.driver=file,file.file.filename=${at('whole')}`;
    const log = `file.log.driver=file,file.log.filename=${at('log')},file.log-sector-size=512`;
    tool('qemu-img', 'snapshot', ...action, '--image-opts', `driver=qcow2,${logged},${log}`);
    const bytes = readFileSync(at('log'));
    return { requests: parseWriteLog(bytes), log: bytes };
  }

  function cutShort(
    { requests, log }: ReturnType<typeof written>,
    count: number,
    end: (typeof ENDS)[keyof typeof ENDS],
  ): void {
    copyFileSync(at('before'), image.path);
    const flushed = requests.slice(0, count).findLastIndex(({ flush }) => flush);
    const file = openSync(image.path, 'r+');
    for (const [index, { sector, sectors, dataAt }] of requests.entries()) {
      if (dataAt === null || !end(index, count, flushed)) continue;
      writeSync(file, log, dataAt, sectors * 512, sector * 512);
    }
    closeSync(file);
  }

  function contentOf(path: string, tag?: string): string {
    const of = tag === undefined ? [] : ['-l', `snapshot.name=${tag}`];
    tool('qemu-img', 'convert', ...of, '-f', 'qcow2', '-O', 'raw', path, at('raw'));
    return createHash('sha256')
      .update(readFileSync(at('raw')))
      .digest('hex');
  }

  const check = () =>
    imageCheck(image.path, 'qcow2', {
      log() {},
      signal: AbortSignal.timeout(60_000),
      shared: false,
    });
  const tags = async () => (await images.view(image, contextFor())).tags;

  /** Each deed, what qemu-img is told, what is left of tags, and which content the image has then. */
  const DEEDS = [
    ['tag', '-c', 'new', ['low', 'high', 'new'], undefined],
    ['dropTag', '-d', 'high', ['low'], undefined],
    ['dropTag', '-d', 'low', ['high'], undefined],
    ['applyTag', '-a', 'low', ['low', 'high'], 'low'],
  ] as const;

  test.each(DEEDS)('%s (%s %s)', async (deed, option, name, left, shows) => {
    const log = written(option, name);
    const shown = contentOf(at('before'), shows);
    const held = new Map(['low', 'high'].map(tag => [tag, contentOf(at('before'), tag)]));
    const seen = new Set<string>();
    let broken = 0;
    for (const [how, end] of Object.entries(ENDS)) {
      const stride = end === ENDS['is killed'] ? 1 : STRIDE;
      for (let count = 0; count <= log.requests.length; count += stride) {
        cutShort(log, count, end);
        const digest = createHash('sha256').update(readFileSync(image.path)).digest('hex');
        if (seen.has(digest)) continue;
        seen.add(digest);
        const found = await check();
        if (found.supported && found.corruptions > 0) broken += 1;
        await perform({ do: deed, image, tag: name }, true);
        const what = `it ${how} after ${count} of ${log.requests.length} requests`;
        expect(await check(), what).toMatchObject({ corruptions: 0, leaks: 0 });
        expect(await tags(), what).toEqual(left);
        expect(contentOf(image.path), what).toBe(shown);
        for (const tag of left) {
          if (tag !== 'new') expect(contentOf(image.path, tag), what).toBe(held.get(tag));
          else expect(contentOf(image.path, tag), what).toBe(shown);
        }
      }
    }
    // What qemu-img calls errors is there to be mended; but where the deleted tag is older than another.
    if (name !== 'low' || deed !== 'dropTag') expect(broken).toBeGreaterThan(0);
  });
});
