import type { Request } from '../../src/plan/request.ts';
import type { Chance } from '../seeded-random.ts';
import { fills } from './chapters.ts';
import { bootPaused, type SimHost } from './sim-host.ts';

/** Above this many snapshots, somebody tidies up. */
const SNAPSHOTS_MAX = 4;

/** Something that a user may ask of a domain as it is now. */
export function request({ catalog, domain }: SimHost, chance: Chance, serial: number): Request {
  const names = catalog.snapshots(domain).map(({ name }) => name);
  const kind = names.length === 0 ? 0 : names.length > SNAPSHOTS_MAX ? 2 : chance.below(3);
  if (kind === 0) {
    return {
      operation: 'create',
      domain,
      name: `s${serial}`,
      memory: chance.of([undefined, 'live', 'paused', 'none', 'none'] as const),
      disks: chance.of(['auto', 'internal', 'external', 'external'] as const),
      quiesce: chance.of(['try', 'try', 'require', 'no'] as const),
      ...(chance.below(5) === 0 ? { disk: { vda: 'internal', vdb: 'external' } } : {}),
    };
  }
  const name = chance.of(names);
  if (kind === 1) {
    const runAfter = chance.of([undefined, undefined, 'running', 'paused', 'off'] as const);
    return { operation: 'revert', domain, name, runAfter };
  }
  const extent = chance.of(['one', 'one', 'one', 'children', 'children-only'] as const);
  return { operation: 'delete', domain, name, extent, back: chance.below(4) === 0 };
}

/** What happens to a domain between two operations; answers how long it takes. */
export function meanwhile(host: SimHost, chance: Chance): number {
  const { world } = host;
  world.domainDied = false;
  // Off, it holds what its disks hold: the last operation has been judged.
  if (!world.process) {
    for (const { device, head } of host.catalog.domain(host.domain)?.disks ?? []) {
      world.truth.set(device, [...world.store.content(head)]);
    }
  }
  world.takenFrozen = false;
  world.agent = chance.below(5) > 0;
  const [background, precopy] = [chance.below(4) > 0, chance.below(4) > 0];
  world.captures = { background, precopy, paused: true };
  if (!world.process && chance.below(4) > 0) bootPaused(host);
  else if (world.process && chance.below(10) === 0) world.process = null;
  if (world.process) world.process.runState = chance.below(8) === 0 ? 'paused' : 'running';
  if (world.process && chance.below(6) === 0) fills(world);
  return 20 * chance.below(20);
}
