import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { recover } from '../../src/operations/recover.ts';
import { CreateInput } from '../../src/steps/input.ts';
import type { Json } from '../../src/tools/json.ts';
import { newest } from '../campaign/recovered.ts';
import { launch } from '../lab/cases/command.ts';
import { behindItsBack, type World, worldDown, worldUp } from '../lab/cases/harness.ts';
import { assertInvariants } from '../lab/cases/invariants.ts';
import { operate } from '../lab/cases/operate.ts';
import { MIXED, OVERLAY, type Storage } from '../lab/cases/storages.ts';
import { LONG } from '../long.ts';
import { type LibvirtKeeper, libvirtKeeper } from './keeper.ts';

/** Half a minute each: the others are for the long form. */
const WORLDS = [
  { storage: OVERLAY, memory: 'none' },
  { storage: OVERLAY, memory: 'live' },
  { storage: MIXED, memory: 'none' },
];
if (!LONG)
  test.skip('with memory, and with mixed disks: in the long form alone, DOMSNAP_LONG=1', () => {});

test.each(LONG ? WORLDS : WORLDS.slice(0, 1))(
  'overlays ($storage.name, memory $memory) that a libvirtd died over are taken back, and it goes on as before',
  {
    timeout: 180_000,
  },
  async ({ storage, memory }) => {
    const { world, keeper } = await kept(storage);
    const { disks, disk = {} } = storage.create;
    const modes = Object.entries(disk).flatMap(([device, mode]) => ['--disk', `${device}=${mode}`]);
    const how = disks ? ['--disks', disks] : modes;
    const words = ['create', 'lab', 'first', '--memory', memory, ...how];
    const place = { DOMSNAP_FAILPOINT: 'snapshotDisks:before', DOMSNAP_WATCHDOG: 'off' };
    expect(await launch(world, words, place).exited).toMatchObject({ signal: 'SIGKILL' });
    await snapshotAsLibvirtDoes(world);
    keeper.daemon.kill();
    await keeper.daemon.ensure();
    const reports = await recover(world.session, undefined);
    expect(reports.map(({ outcome }) => outcome)).toEqual(['rolledBack']);
    await assertInvariants(world, { runState: 'running' });
    const wish = {
      operation: 'create',
      name: 'second',
      memory: 'none',
      ...storage.create,
    } as const;
    await operate(world, wish, 'create.live.disk-only.external');
  },
);

async function kept(storage: Storage): Promise<{ world: World; keeper: LibvirtKeeper }> {
  const { promise, resolve } = Promise.withResolvers<LibvirtKeeper>();
  const keeper = async (root: string) => {
    const made = await libvirtKeeper(root);
    resolve(made);
    return made;
  };
  const world = await worldUp(storage, { keeper });
  onTestFinished(() => worldDown(world));
  return { world, keeper: await promise };
}

/** What libvirt tells QEMU for `snapshot-create-as`, before it writes down that it has. */
async function snapshotAsLibvirtDoes(world: World): Promise<void> {
  const operation = newest(world);
  const fact = world.session.journal.records(operation?.id ?? '')[0]?.fact;
  const { disks } = CreateInput.parse(fact?.type === 'started' ? fact.input : undefined);
  const nodes = z.array(z.object({ 'node-name': z.string(), file: z.string() }));
  await behindItsBack(world, async monitor => {
    const open = await monitor.execute(nodes, 'query-named-block-nodes', { flat: true });
    const nodeOf = (path: string) =>
      open.find(one => one.file === path && one['node-name'].endsWith('-format'))?.['node-name'] ??
      '';
    const actions: Json[] = [];
    for (const { overlay, head } of disks) {
      if (!overlay) continue;
      const name = `libvirt-${open.length / 2 + 1 + actions.length}`;
      const storage = { driver: 'file', filename: overlay.path, 'node-name': `${name}-storage` };
      const format = { driver: 'qcow2', file: `${name}-storage`, 'node-name': `${name}-format` };
      await monitor.execute(z.unknown(), 'blockdev-add', { ...storage, 'auto-read-only': true });
      await monitor.execute(z.unknown(), 'blockdev-add', { ...format, backing: null });
      const data = { node: nodeOf(head.path), overlay: `${name}-format` };
      actions.push({ type: 'blockdev-snapshot', data });
    }
    await monitor.execute(z.unknown(), 'transaction', { actions });
  });
}
