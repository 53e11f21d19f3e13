import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Volume } from '../../src/catalog/model.ts';
import { systemClock } from '../../src/engine/system-clock.ts';
import { hostImages } from '../../src/storages/images.ts';
import type { ImageDeed } from '../../src/storages/port.ts';
import { Chance } from '../seeded-random.ts';
import { digestsByLibvhdi, libvhdiMissing } from '../tools/vhd/libvhdi.ts';
import { writeVhd } from '../tools/vhd/write-vhd.ts';
import { contextFor } from './conformance.ts';
import { type Change, replay, survivors, watchChanges } from './volatile-file.ts';

const missing = libvhdiMissing();
if (missing) test.skip(missing, () => {});
const images = hostImages({ clock: systemClock });
const perform = (deed: ImageDeed) => images.perform(deed, contextFor());

describe.skipIf(missing !== '')(
  'a deed on VHDs that is cut short is done again, to the end',
  () => {
    let folder: string;
    const at = (name: string): Volume => ({ path: join(folder, name), format: 'vpc' });
    const sha = (...names: string[]) =>
      digestsByLibvhdi(names.map(name => at(name).path)).map(({ sha256 }) => sha256);
    const keep = (...names: string[]) => {
      for (const name of names) copyFileSync(at(name).path, join(folder, `${name}.kept`));
    };
    const back = (...names: string[]) => {
      for (const name of names) copyFileSync(join(folder, `${name}.kept`), at(name).path);
    };

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'domsnap-vhd-crash-'));
      const make = ['create', '-q', '-f', 'vpc', '-o', 'force_size=on', at('base').path, '9M'];
      execFileSync('qemu-img', make);
      execFileSync('qemu-io', ['-f', 'vpc', '-c', 'write -P 1 0 9M', at('base').path]);
      await perform({ do: 'createOverlay', image: at('middle'), base: at('base') });
      await writeVhd(at('middle').path, 64 * 4096, 8192, 2);
      await writeVhd(at('middle').path, 5 << 20, 4096, 3);
      await perform({ do: 'createOverlay', image: at('top'), base: at('middle') });
      await writeVhd(at('top').path, 65 * 4096, 8192, 4);
      await writeVhd(at('top').path, 3 << 20, 2 << 20, 5);
      keep('base', 'middle', 'top');
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    /** The changes that a deed makes to open files. */
    async function changesOf(deed: ImageDeed): Promise<Change[]> {
      const changes: Change[] = [];
      const unwatch = await watchChanges(change => changes.push(change));
      try {
        await perform(deed);
      } finally {
        unwatch();
      }
      return changes;
    }

    /** Do it, and die right before its n-th change: nothing is changed from then on. */
    async function dieBefore(n: number, deed: ImageDeed): Promise<void> {
      let count = 0;
      const unwatch = await watchChanges(() => {
        count += 1;
        if (count > n) throw new Error('this process is dead');
      });
      try {
        await expect(perform(deed)).rejects.toThrow();
      } finally {
        unwatch();
      }
    }

    test('a commit, before each of its changes', async () => {
      const deed = { do: 'commit', top: at('top'), base: at('base') } as const;
      const [seen] = sha('top');
      const { length } = await changesOf(deed);
      expect(length).toBeGreaterThan(5);
      const names = Array.from({ length }, (_, n) => `base.${n}`);
      for (const [n, name] of names.entries()) {
        back('base');
        await dieBefore(n, deed);
        // What is there is a whole VHD to whoever looks, QEMU too.
        await images.view(at('base'), contextFor());
        await perform(deed);
        copyFileSync(at('base').path, at(name).path);
      }
      expect(new Set(sha(...names))).toEqual(new Set([seen]));
    });

    test('a commit, in which the power fails and the disk forgets what was not flushed', async () => {
      const deed = { do: 'commit', top: at('top'), base: at('middle') } as const;
      const [seen] = sha('top');
      const changes = await changesOf(deed);
      const chance = new Chance(7);
      const cuts = Array.from({ length: changes.length + 1 }, (_, count) => [
        survivors(changes, count, () => chance.next() < 0.5),
        // The worst order: of what no flush followed, the newest alone is on disk.
        survivors(changes, count, index => index === count - 1),
      ]).flat();
      const names = cuts.map((_, n) => `middle.${n}`);
      for (const [n, lasting] of cuts.entries()) {
        replay(join(folder, 'middle.kept'), at('middle').path, lasting);
        await perform(deed);
        copyFileSync(at('middle').path, at(names[n] ?? '').path);
      }
      expect(new Set(sha(...names))).toEqual(new Set([seen]));
    });

    test.each([
      ['onto another base', () => at('base')],
      ['onto nothing', () => null],
    ])(
      'a rebase %s, before each of its changes: the image is as it was until it is whole',
      async (_, onto) => {
        const deed = { do: 'rebase', top: at('top'), base: onto() } as const;
        const [seen] = sha('top');
        const { length } = await changesOf(deed);
        const names = Array.from({ length }, (_, n) => `top.${n}`);
        for (const [n, name] of names.entries()) {
          back('top');
          await dieBefore(n, deed);
          // The last change makes the folder durable, in which the new one has its name already.
          const { backing } = await images.view(at('top'), contextFor());
          expect(backing).toEqual(n < length - 1 ? at('middle') : onto());
          copyFileSync(at('top').path, at(name).path);
        }
        await perform(deed);
        expect(new Set(sha('top', ...names))).toEqual(new Set([seen]));
        expect((await images.view(at('top'), contextFor())).backing).toEqual(onto());
      },
    );

    test('a child that is pointed to another base, before each of its changes, and torn', async () => {
      await perform({ do: 'commit', top: at('middle'), base: at('base') });
      const deed = { do: 'repoint', child: at('top'), base: at('base') } as const;
      const [seen] = sha('top');
      const changes = await changesOf(deed);
      const header = changes.findLastIndex(one => one.do === 'write' && one.at === 512);
      expect(header).toBeGreaterThan(0);
      for (let n = 0; n < changes.length; n += 1) {
        back('top');
        await dieBefore(n, deed);
        if (n === header) {
          // Half of the header has reached the disk, of which one sum is over both halves.
          const { bytes } = changes[header] as Change & { do: 'write' };
          replay(at('top').path, at('torn').path, [
            { do: 'write', at: 512, bytes: bytes.subarray(0, 512) },
          ]);
          copyFileSync(at('torn').path, at('top').path);
          rmSync(at('torn').path);
          await expect(images.view(at('top'), contextFor())).rejects.toThrow('checksum');
        }
        await perform(deed);
        expect(sha('top')).toEqual([seen]);
        expect((await images.view(at('top'), contextFor())).backing).toEqual(at('base'));
        expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([]);
      }
    });

    test.each([
      ['commit', () => ({ do: 'commit', top: at('top'), base: at('base') }) as const],
      ['rebase', () => ({ do: 'rebase', top: at('top'), base: null }) as const],
    ])('a process that is killed with SIGKILL in the middle of a %s', async (_, deedOf) => {
      const deed = deedOf();
      const [seen] = sha('top');
      const script = join(import.meta.dirname, 'die-in-deed.ts');
      const child = spawn(process.execPath, [script, JSON.stringify(deed), '3'], {
        stdio: 'ignore',
      });
      const signal = await new Promise(resolve => child.once('exit', (_code, by) => resolve(by)));
      expect(signal).toBe('SIGKILL');
      expect(existsSync(join(folder, '.top.domsnap-draft'))).toBe(deed.do === 'rebase');
      await perform(deed);
      const result = deed.do === 'commit' ? 'base' : 'top';
      expect(sha(result)).toEqual([seen]);
      expect((await images.view(at(result), contextFor())).backing).toBeNull();
      expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([]);
    });
  },
);
