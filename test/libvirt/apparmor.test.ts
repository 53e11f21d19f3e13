import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/tools/run.ts';
import { type Place, place } from '../cli/domsnap.ts';
import { LONG } from '../long.ts';
import { TestLibvirtd } from './daemon.ts';
import { defineSmall } from './small-domain.ts';

// Where AppArmor confines QEMU, libvirt has this program write down what each guest may open, from the
// domain's description. Its dry run needs no AppArmor in the kernel: it shows what would be allowed. That
// the kernel then allows it is not shown here.
const HELPER = '/usr/lib/libvirt/virt-aa-helper';
const NAME = 'confined';
const timeout = 120_000;

let folder: string;
let daemon: TestLibvirtd;
let here: Place;
const cleanings: (() => void)[] = [];

if (!LONG) test.skip('in the long form: DOMSNAP_LONG=1', () => {});

describe.skipIf(!existsSync(HELPER) || !LONG)('the AppArmor profile of a guest', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'domsnap-aa-'));
    daemon = await TestLibvirtd.start(join(folder, 'libvirt'));
    here = place(clean => cleanings.push(clean));
    await defineSmall(daemon, folder, NAME);
  }, 60_000);

  afterAll(async () => {
    await daemon?.virsh('destroy', NAME).catch(() => {});
    await daemon?.close();
    for (const clean of cleanings) clean();
    rmSync(folder, { recursive: true });
  });

  const does = async (...words: string[]) => {
    const { exit, stderr } = await here.run([...words, '--connect', daemon.uri]);
    expect(exit, `${words.join(' ')}: ${stderr}`).toBe(0);
  };
  /** What libvirt would let its QEMU do with each image, as it is described now. */
  async function allowed(...how: string[]): Promise<Record<string, string>> {
    const input = await daemon.virsh('dumpxml', NAME, ...how);
    const profile = `libvirt-${await daemon.virsh('domuuid', NAME)}`;
    const argv = [HELPER, '-c', '-d', '-u', profile] as const;
    const { stdout, stderr } = await run(argv, { timeoutMs: 60_000, input, log: () => {} });
    const rules = `${stdout}${stderr}`.matchAll(/^ {2}(deny )?"([^"]+)" (\w+),/gm);
    const mine = [...rules].filter(([, , path = '']) => path.startsWith(`${folder}/${NAME}`));
    return Object.fromEntries(
      mine.map(([, deny = '', path = '', may]) => [deny + path, may ?? '']),
    );
  }
  const head = async () => (await daemon.virsh('domblklist', NAME)).trim().split(/\s+/)[1] ?? '';

  test('has each new head to write to, and what is below it to read, running and for the next start', {
    timeout,
  }, async () => {
    const base = await head();
    await daemon.virsh('start', NAME);
    await does('create', NAME, 'one', '--memory', 'none');
    await does('create', NAME, 'two', '--memory', 'paused');
    await does('revert', NAME, 'one');
    const now = await head();
    expect(await allowed()).toMatchObject({ [now]: 'rwk', [base]: 'rk' });
    expect(await allowed('--inactive')).toMatchObject({ [now]: 'rwk', [base]: 'rk' });
  });

  test('forbids libvirt before 12.1 to merge into an image that a start has found as a base', {
    timeout,
  }, async () => {
    const base = join(folder, `${NAME}.qcow2`);
    expect((await allowed())[`deny ${base}`]).toBe('w');
  });

  test('off: the same of what domsnap describes for the next start', { timeout }, async () => {
    await daemon.virsh('destroy', NAME);
    const before = await head();
    await does('create', NAME, 'three');
    expect(await allowed()).toMatchObject({ [await head()]: 'rwk', [before]: 'rk' });
    await does('delete', NAME, 'three');
    expect((await allowed())[await head()]).toBe('rwk');
  });
});
