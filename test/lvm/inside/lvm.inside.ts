import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sh } from './commands.ts';

const fill = (letter: string, volume: string) =>
  sh(
    `head -c 1M /dev/zero | tr '\\0' ${letter} | dd of=/dev/vg0/${volume} oflag=direct bs=1M 2>&1`,
  );
const first = (volume: string) =>
  sh(`dd if=/dev/vg0/${volume} iflag=direct bs=4k count=1 | head -c 3`);

describe('the lab host has real LVM', () => {
  beforeAll(() => sh('pvcreate -q /dev/vda && vgcreate vg0 /dev/vda'));
  afterAll(() => sh('vgremove -ff -y vg0 && pvremove /dev/vda'));

  test('a classic snapshot holds what its origin held, and is merged back', async () => {
    await sh('lvcreate -y -Wy -L 16M -n web vg0');
    await fill('a', 'web');
    await sh('lvcreate -y -s -L 8M -n before vg0/web');
    await fill('b', 'web');
    expect(await first('web')).toBe('bbb');
    expect(await first('before')).toBe('aaa');
    await sh('lvconvert --merge vg0/before');
    expect(await first('web')).toBe('aaa');
    expect(await sh('lvs --noheadings -o lv_name vg0')).toBe('web');
  });

  test('so does a thin one', async () => {
    await sh('lvcreate -y --type thin-pool -L 32M -n pool vg0');
    await sh('lvcreate -y -V 16M --thin -n thin vg0/pool');
    await fill('a', 'thin');
    await sh('lvcreate -y -s -n thinner vg0/thin');
    await fill('b', 'thin');
    await sh('lvchange -ay -K vg0/thinner');
    expect(await first('thinner')).toBe('aaa');
    await sh('lvconvert --merge vg0/thinner');
    expect(await first('thin')).toBe('aaa');
  });

  test('what LVM refuses comes back as exit code 5', async () => {
    expect(await sh('lvs vg0/nothing 2>&1; echo $?', [0])).toMatch(/Failed to find.*\n5$/s);
  });
});
