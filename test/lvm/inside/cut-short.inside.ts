import { afterAll, beforeAll, describe, expect, test as plainTest } from 'vitest';
import { systemClock } from '../../../src/engine/system-clock.ts';
import { hostImages } from '../../../src/storages/images.ts';
import type { ImageDeed } from '../../../src/storages/port.ts';
import { logicalVolumeAt } from '../../../src/tools/lvm-name.ts';
import { volumesOf } from '../../../src/tools/lvm-report.ts';
import { sh } from './commands.ts';

const test = (name: string, body: () => unknown) => plainTest(name, { timeout: 300_000 }, body);

const log = () => {};
const images = hostImages({ clock: systemClock });
const perform = (deed: ImageDeed) =>
  images.perform(deed, { key: 'k', signal: new AbortController().signal, log, progress() {} });

const ROOT = { path: '/dev/vg0/root', format: 'raw' };
const THIN = { path: '/dev/vg0/thin', format: 'raw' };
const roomBytes = 12 * 2 ** 20;
const OURS = '--addtag domsnap.of=root';

const fill = (letter: string, volume: string) =>
  sh(
    `head -c 1M /dev/zero | tr '\\0' ${letter} | dd of=/dev/vg0/${volume} oflag=direct bs=1M 2>&1`,
  );
const first = (volume: string) =>
  sh(`dd if=/dev/vg0/${volume} iflag=direct bs=4k count=1 | head -c 3`);
const volume = async (name: string) =>
  (await volumesOf('vg0', { log })).find(one => one.name === name);
const devices = () => sh('dmsetup info -c --noheadings --separator : -o name,suspended');

/** States that a kill -9 of LVM's commands leaves, made by hand, so that they are there each time. */
describe('a command of LVM that was cut short', () => {
  beforeAll(async () => {
    await sh('pvcreate -q /dev/vda && vgcreate vg0 /dev/vda');
    await sh('lvcreate -y -Wy -L 8M -n root vg0 && lvcreate -y -Wy -L 8M -n user vg0');
    await sh('lvcreate -y --type thin-pool -L 64M -n pool vg0');
    await sh('lvcreate -y -V 8M --thin -n thin vg0/pool');
  });
  afterAll(() => sh('vgremove -ff -y vg0 && pvremove -y /dev/vda'));

  test('lvcreate, in the middle of its tables: what it left in the kernel is not in the way', async () => {
    await sh('dmsetup create vg0-s1-cow --uuid LVM-gone-cow --table "0 8192 error"');
    await sh(`lvcreate -y -an -Wn -Zn -L 12M -n s1 ${OURS} vg0`);
    await fill('a', 'root');
    await perform({ do: 'tag', image: ROOT, tag: 's1', roomBytes });
    await fill('b', 'root');
    expect(await first('s1')).toBe('aaa');
    await perform({ do: 'dropTag', image: ROOT, tag: 's1' });
    expect(await devices()).not.toMatch(/s1|Suspended/);
  });

  test('lvcreate, with the disk suspended: it goes on; another one that somebody has suspended does not', async () => {
    await sh('dmsetup suspend vg0-root && dmsetup suspend vg0-user');
    await perform({ do: 'dropTag', image: ROOT, tag: 'none' });
    const after = await devices();
    await sh('dmsetup resume vg0-root && dmsetup resume vg0-user');
    expect(after).toMatch(/vg0-root:Active/);
    expect(after).toMatch(/vg0-user:Suspended/);
  });

  test('a merge, before the snapshot was taken again: no guest starts on the disk until it is', async () => {
    await fill('a', 'root');
    // The group has no room for it just now.
    await sh('lvchange --addtag domsnap.merge=s2/12582912/gone --setactivationskip y vg0/root');
    await sh('lvcreate -y -Wn -l 100%FREE -n filler vg0');
    const apply = { do: 'applyTag', image: ROOT, tag: 's2', roomBytes } as const;
    await expect(perform(apply)).rejects.toMatchObject({ code: 'no-space' });
    await sh('vgchange -aay vg0 && lvchange -ay vg0/root');
    expect((await volume('root'))?.active).toBe(false);
    const context = { key: 'k', signal: new AbortController().signal, log, progress() {} };
    await expect(images.view(ROOT, context, true)).rejects.toThrow('domsnap recover');
    await sh('lvremove -y vg0/filler');
    await perform(apply);
    await fill('b', 'root');
    expect(await first('s2')).toBe('aaa');
    await sh('lvchange -an vg0/root && lvchange -ay vg0/root');
    expect(await volume('root')).toMatchObject({ active: true, tags: [] });
    await perform({ do: 'dropTag', image: ROOT, tag: 's2' });
  });

  test('a merge that LVM has put off, and whose snapshot stands still: it is brought to its end', async () => {
    await fill('a', 'root');
    await perform({ do: 'tag', image: ROOT, tag: 's4', roomBytes });
    await fill('b', 'root');
    const { uuid } = (await volume('s4')) ?? {};
    await sh(`lvchange --addtag domsnap.merge=s4/12582912/${uuid} vg0/root`);
    const held = 'sleep 600 < /dev/vg0/root > /dev/null 2>&1 & sleep 1';
    await sh(`${held}; lvconvert -y --merge vg0/s4 2>&1; kill $!`);
    expect(await volume('s4')).toMatchObject({ merging: true });
    await sh('dmsetup suspend vg0-s4');
    await perform({ do: 'applyTag', image: ROOT, tag: 's4', roomBytes });
    expect(await first('root')).toBe('aaa');
    expect(await volume('s4')).toMatchObject({ merging: false, origin: 'root' });
    await perform({ do: 'dropTag', image: ROOT, tag: 's4' });
  });

  test('a merge that was done, before its snapshot was removed: it is not merged once more', async () => {
    await fill('a', 'root');
    await perform({ do: 'tag', image: ROOT, tag: 's5', roomBytes });
    const { uuid } = (await volume('s5')) ?? {};
    await sh(`lvchange --addtag domsnap.merge=s5/12582912/${uuid} vg0/root`);
    await sh('lvconvert -y --splitsnapshot vg0/s5');
    await perform({ do: 'applyTag', image: ROOT, tag: 's5', roomBytes });
    await fill('b', 'root');
    expect(await first('s5')).toBe('aaa');
    await perform({ do: 'dropTag', image: ROOT, tag: 's5' });
  });

  test('a thin revert, before the old disk was gone: what stands in its place is made anew', async () => {
    await perform({ do: 'tag', image: THIN, tag: 't2' });
    const held = await first('thin');
    await fill('c', 'thin');
    await sh('lvchange --addtag domsnap.replaced vg0/thin && lvrename vg0 thin thin.replaced');
    // A name alone: the volume is not even awake.
    await sh('lvcreate -y -s -n thin --setactivationskip n -an vg0/t2');
    expect((await volume('thin'))?.active).toBe(false);
    await perform({ do: 'applyTag', image: THIN, tag: 't2' });
    expect(await first('thin')).toBe(held);
    expect(await volume('thin.replaced')).toBeUndefined();
  });

  test('a thin revert, and somebody has made a disk of that name himself: it is left alone', async () => {
    await sh('lvchange --addtag domsnap.replaced vg0/thin && lvrename vg0 thin thin.replaced');
    await sh('lvcreate -y -Wy -L 8M -n thin vg0');
    await fill('u', 'thin');
    const apply = { do: 'applyTag', image: THIN, tag: 't2' } as const;
    await expect(perform(apply)).rejects.toMatchObject({ code: 'exists' });
    expect(await first('thin')).toBe('uuu');
    await sh('lvremove -y vg0/thin');
    await perform(apply);
  });

  test('lvrename, before udev has heard: a link that leads to the old disk is not believed', async () => {
    await sh('ln -sfn /dev/mapper/vg0-user /dev/vg0/none');
    expect(await logicalVolumeAt('/dev/vg0/none')).toEqual({ vg: 'vg0', lv: 'none' });
    await sh('rm /dev/vg0/none');
  });

  test('a volume of somebody else that has the name of a snapshot is not removed', async () => {
    await sh('lvcreate -y -Wy -L 4M -n s3 vg0');
    const drop = { do: 'dropTag', image: ROOT, tag: 's3' } as const;
    await expect(perform(drop)).rejects.toMatchObject({ code: 'exists' });
    const tag = { do: 'tag', image: ROOT, tag: 's3', roomBytes } as const;
    await expect(perform(tag)).rejects.toMatchObject({ code: 'exists' });
    expect(await volume('s3')).toBeDefined();
  });
});
