import type { Request } from '../../src/plan/request.ts';
import { fills } from './chapters.ts';
import { bootPaused, type SimHost } from './sim-host.ts';

/** Numbers from 0 to below `n`, of a seed. */
export type UpTo = (n: number) => number;

const pick = <T>(upTo: UpTo, of: readonly T[]): T => of[upTo(of.length)] as T;

/** Above this many snapshots, somebody tidies up. */
const SNAPSHOTS_MAX = 4;

/** Something that a user may ask of a domain as it is now. */
export function request({ catalog, domain }: SimHost, upTo: UpTo, serial: number): Request {
  const names = catalog.snapshots(domain).map(({ name }) => name);
  const kind = names.length === 0 ? 0 : names.length > SNAPSHOTS_MAX ? 2 : upTo(3);
  if (kind === 0) {
    return {
      operation: 'create',
      domain,
      name: `s${serial}`,
      memory: pick(upTo, [undefined, 'live', 'paused', 'none', 'none'] as const),
      disks: pick(upTo, ['auto', 'internal', 'external', 'external'] as const),
      quiesce: pick(upTo, ['try', 'try', 'require', 'no'] as const),
      ...(upTo(5) === 0 ? { disk: { vda: 'internal', vdb: 'external' } } : {}),
    };
  }
  const name = pick(upTo, names);
  if (kind === 1) {
    const runAfter = pick(upTo, [undefined, undefined, 'running', 'paused', 'off'] as const);
    return { operation: 'revert', domain, name, runAfter };
  }
  const extent = pick(upTo, ['one', 'one', 'one', 'children', 'children-only'] as const);
  return { operation: 'delete', domain, name, extent, back: upTo(4) === 0 };
}

/** What happens to a domain between two operations; answers how long it takes. */
export function meanwhile(host: SimHost, upTo: UpTo): number {
  const { world } = host;
  world.domainDied = false;
  // Off, it holds what its disks hold: the last operation has been judged.
  if (!world.process) {
    for (const { device, head } of host.catalog.domain(host.domain)?.disks ?? []) {
      world.truth.set(device, [...world.store.content(head)]);
    }
  }
  world.takenFrozen = false;
  world.agent = upTo(5) > 0;
  const [background, precopy] = [upTo(4) > 0, upTo(4) > 0];
  world.captures = { background, precopy, paused: true };
  if (!world.process && upTo(4) > 0) bootPaused(host);
  else if (world.process && upTo(10) === 0) world.process = null;
  if (world.process) world.process.runState = upTo(8) === 0 ? 'paused' : 'running';
  if (world.process && upTo(6) === 0) fills(world);
  return 20 * upTo(20);
}
