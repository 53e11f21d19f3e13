import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startDomain } from '../../../src/operations/domains.ts';
import { connectQmp, type Qmp } from '../../../src/tools/qmp.ts';
import { sh } from './commands.ts';
import {
  DOMAIN,
  done,
  kindOf,
  type VolumeWorld,
  volumeWorldDown,
  volumeWorldUp,
} from './volumes.ts';

const ROUNDS = Number(process.env.DOMSNAP_LVM_ROUNDS ?? 2);

/**
 * How long the guest stands still for a snapshot of two volumes: by domsnap, and by hand, which is `stop`,
 * the two commands of LVM one after the other, and `cont`. By the guest's own monitor, in one run.
 */
describe('the pause', () => {
  let world: VolumeWorld;
  let monitor: Qmp;
  const seen: { readonly event: string; readonly atMs: number }[] = [];

  beforeAll(async () => {
    world = await volumeWorldUp(kindOf('lvm'));
    await startDomain(world.session, DOMAIN, {});
    monitor = await connectQmp({
      path: `${world.folder}/other.sock`,
      deadlineMs: 30_000,
      log: () => {},
      onEvent: ({ event, timestamp }) =>
        seen.push({ event, atMs: timestamp.seconds * 1000 + timestamp.microseconds / 1000 }),
    });
  }, 600_000);
  afterAll(async () => {
    monitor.close();
    await volumeWorldDown(world);
  });

  const pauseOf = async (work: () => Promise<unknown>): Promise<number> => {
    seen.length = 0;
    await work();
    for (let tries = 0; !seen.some(({ event }) => event === 'RESUME') && tries < 100; tries += 1)
      await new Promise(resolve => setTimeout(resolve, 50));
    const at = (name: string) => seen.find(({ event }) => event === name)?.atMs ?? Number.NaN;
    return at('RESUME') - at('STOP');
  };
  const tell = (command: string) => monitor.execute(z.unknown(), command);

  test('is at most one and a half times that of the commands by hand', {
    timeout: 900_000,
  }, async () => {
    const byHand: number[] = [];
    const byDomsnap: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const name = `p${round}`;
      byHand.push(
        await pauseOf(async () => {
          await tell('stop');
          for (const volume of ['root', 'data'])
            await sh(`lvcreate -y -qq -s -L 12M -n ${volume}.hand vg0/${volume}`);
          await tell('cont');
        }),
      );
      await sh('lvremove -y -qq vg0/root.hand vg0/data.hand');
      byDomsnap.push(
        await pauseOf(() => done(world, { operation: 'create', name, memory: 'none' })),
      );
      await done(world, { operation: 'delete', name });
    }
    const best = (all: readonly number[]) => Math.min(...all);
    const ratio = best(byDomsnap) / best(byHand);
    const told = (all: readonly number[]) => all.map(ms => ms.toFixed(0)).join(', ');
    console.log(
      `pause of two volumes: ${told(byDomsnap)} ms; by hand ${told(byHand)} ms; ${ratio.toFixed(2)} x`,
    );
    expect(ratio).toBeLessThan(1.5);
  });
});
