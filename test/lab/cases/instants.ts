import { expect } from 'vitest';
import { z } from 'zod';
import { parseValues } from '../../../src/lab/lab-values.ts';
import { connectSerial } from '../../../src/tools/serial.ts';
import { countersOf, headCounters } from './contents.ts';
import { behindItsBack, counters, nonce, type World } from './harness.ts';
import { operate, snapshotOf } from './operate.ts';

/**
 * I8 of a checkpoint: it is loaded, and stands still; a `read` is sent, which waits in the serial line;
 * then the guest runs. It answers before its next tick, or the one after: the counter in its memory must
 * be that of the snapshot's disks within those ticks, and its boot the one that wrote them.
 */
export async function revertToTheInstant(
  world: World,
  name: string,
  caseId: string,
): Promise<void> {
  const at = countersOf(world, snapshotOf(world, name));
  await operate(world, { operation: 'revert', name, runAfter: 'paused' }, caseId);
  expect(await headCounters(world), 'the heads hold what the snapshot held').toEqual(at);
  const serial = await connectSerial(world.lab.files.serialSocket, { deadlineMs: 20_000 });
  const answer = serial.ask('read').finally(() => serial.close());
  await behindItsBack(world, monitor => monitor.execute(z.unknown(), 'cont'));
  const { mem, vda, vdb } = parseValues(await answer) as Record<'mem' | 'vda' | 'vdb', number>;
  const { n, boot } = at.vda!;
  expect(mem, 'I8: the memory is older than the disks').toBeGreaterThanOrEqual(n);
  expect(mem, 'I8: the memory is younger than the disks').toBeLessThanOrEqual(n + 3);
  expect([vda - vdb, mem - vda], `mem ${mem} vda ${vda} vdb ${vdb}`).toEqual([0, 0]);
  expect(await nonce(world)).toBe(boot);
}

/** The guest's counter goes up, and its disks follow within a tick. */
export async function ticks(world: World): Promise<number> {
  const first = await counters(world);
  const second = await counters(world);
  expect(second.mem).toBeGreaterThan(first.mem);
  expect([second.mem - second.vda, second.vda - second.vdb]).toEqual([0, 0]);
  return second.mem;
}
