import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeContext } from '../../src/operations/session.ts';
import { DOMAIN, type World, worldDown, worldUp } from '../lab/cases/harness.ts';
import { revertToTheInstant, ticks } from '../lab/cases/instants.ts';
import { operate, snapshotOf } from '../lab/cases/operate.ts';
import { OVERLAY } from '../lab/cases/storages.ts';
import { libvirtKeeper } from './keeper.ts';

describe('a QEMU that libvirt runs as another user than root, as Debian has it', () => {
  let world: World;
  beforeAll(async () => {
    world = await worldUp(OVERLAY, { keeper: root => libvirtKeeper(root, 'libvirt-qemu') });
  }, 120_000);
  afterAll(() => worldDown(world));

  const userOf = (path: string) => statSync(path).uid;

  test('memory is saved as the kernel lets that user, and the plan says why', async () => {
    const toolstack = await world.session.openToolstack(world.session.catalog.domain(DOMAIN)!);
    const { captures } = await toolstack.inspect(freeContext());
    await toolstack.close();
    expect(captures.precopy.works).toBe(true);
    if (captures.background.works) return;
    expect(captures.background.why).toContain('vm.unprivileged_userfaultfd is 0');
  });

  test('it can write to what is made for it, and nobody else can read that', async () => {
    const qemu = userOf(`/proc/${world.keeper.pid(world)}`);
    expect(qemu).not.toBe(0);
    await operate(
      world,
      { operation: 'create', name: 'a', memory: 'paused' },
      'create.live.paused.external',
    );
    const { disks, memory } = snapshotOf(world, 'a');
    const heads = world.session.catalog.domain(DOMAIN)!.disks.map(({ head }) => head.path);
    for (const path of [...heads, ...disks.map(({ image }) => image.path)]) {
      expect(statSync(path).mode & 0o077, path).toBe(0);
    }
    for (const path of heads) expect(userOf(path), path).toBe(qemu);
    expect(statSync(memory!.path).mode & 0o777).toBe(0o600);
    await ticks(world);
  });

  test('it loads what it has saved, merges what it has written, and goes on', async () => {
    await revertToTheInstant(world, 'a', 'revert.live.memory.external');
    await operate(world, { operation: 'delete', name: 'a' }, 'delete.live.chain.external');
    await ticks(world);
  });
});
