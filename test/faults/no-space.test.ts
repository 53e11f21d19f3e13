import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startDomain, stopDomain } from '../../src/operations/domains.ts';
import { recover } from '../../src/operations/recover.ts';
import { runRequest } from '../../src/operations/run-request.ts';
import type { Session } from '../../src/operations/session.ts';
import { withoutBackground } from '../lab/cases/meddle.ts';
import type { Wish } from '../lab/cases/operate.ts';
import { emptyTrash, type SmallDisk, smallDisk } from '../lab/cases/saboteurs.ts';
import { DOMAIN, type FaultHost, faultHost, operate, runStateOf, writeBoth } from './host.ts';
import { root } from './sabotage.ts';
import { assertWhole } from './whole.ts';

/** One case, by what goes before it. */
interface Tried {
  readonly caseId: string;
  readonly wish: Wish;
  readonly before?: readonly (Wish | 'full' | 'little')[];
  /** How much room it finds; 0 and 0.25 MiB by default. */
  readonly left?: readonly number[];
  readonly session?: (session: Session) => Session;
}

const create = (name: string, more: object = {}): Wish =>
  ({ operation: 'create', name, ...more }) as Wish;
const disks = { memory: 'none' };
const internal = { memory: 'none', disk: { vda: 'internal', vdb: 'none' } };
const s1 = create('s1', disks);
const revert: Wish = { operation: 'revert', name: 's1' };
const remove: Wish = { operation: 'delete', name: 's1' };

const LIVE: readonly Tried[] = [
  { caseId: 'create.live.background.external', wish: create('s1'), left: [0.25, 1] },
  {
    caseId: 'create.live.precopy.external',
    wish: create('s1'),
    session: withoutBackground,
    left: [1],
  },
  { caseId: 'create.live.paused.external', wish: create('s1', { memory: 'paused' }), left: [1] },
  { caseId: 'create.live.disk-only.external', wish: s1 },
  { caseId: 'create.live.disk-only.internal', wish: create('s1', internal), left: [0] },
  { caseId: 'revert.live.memory.external', wish: revert, before: [create('s1')] },
  { caseId: 'revert.live.disk-only.external', wish: revert, before: [s1] },
  {
    caseId: 'delete.live.standalone.external',
    wish: remove,
    before: [s1, 'full'],
    left: [0.25, 1],
  },
  {
    caseId: 'delete.live.standalone.external',
    wish: remove,
    before: ['full', s1, 'little'],
    left: [0],
  },
];
const OFFLINE: readonly Tried[] = [
  { caseId: 'create.offline.disk-only.external', wish: s1 },
  { caseId: 'create.offline.disk-only.internal', wish: create('s1', internal), left: [0] },
  {
    caseId: 'revert.offline.disk-only.internal',
    wish: revert,
    before: [create('s1', internal), create('s2', disks)],
    left: [0, 0.125],
  },
  { caseId: 'delete.offline.standalone.external', wish: remove, before: [s1, 'full'], left: [0] },
  {
    caseId: 'delete.offline.standalone.external',
    wish: remove,
    before: ['full', s1, 'little'],
    left: [0],
  },
];
/** Nothing at all; one overlay, but not two. With 1 MiB overlays fit, and no memory and no merge. */
const LEFT_MIB = [0, 0.25] as const;

describe.skipIf(!root)('no space, at one write after the other', () => {
  let disk: SmallDisk;
  let host: FaultHost;
  const cleanups: (() => unknown)[] = [];
  beforeAll(async () => {
    disk = smallDisk(160);
    const atEnd = (clean: () => unknown) => void cleanups.unshift(clean);
    host = await faultHost({ imageFolder: disk.folder, atEnd });
  });
  afterEach(async () => {
    disk.free();
    for (const { name } of host.session.catalog.snapshots(DOMAIN)) {
      await operate(host, { operation: 'delete', name });
    }
    emptyTrash(disk.folder);
  });
  afterAll(async () => {
    for (const clean of cleanups) await clean();
    disk?.unmount();
  });

  /** Run it with so little room, and again with enough where it waits for a person. */
  async function pinched({ caseId, wish, before = [], session }: Tried, leftMib: number) {
    for (const one of before) {
      if (one === 'full') await writeBoth(host, 1, { blocks: 40 });
      else if (one === 'little') await writeBoth(host, 2, { block: 48, blocks: 8 });
      else await operate(host, one);
    }
    await assertWhole(host, { runState: await runStateOf(host) });
    const runState = await runStateOf(host);
    const request = { ...wish, domain: DOMAIN } as Parameters<typeof runRequest>[1];
    const observer = { planned: () => disk.fill(leftMib) };
    const report = await runRequest((session ?? (one => one))(host.session), request, { observer });
    expect(report.caseId).toBe(caseId);
    if (report.outcome === 'needsAttention') {
      disk.free();
      const reports = await recover(host.session, undefined);
      expect(reports.map(({ outcome }) => outcome)).not.toContain('needsAttention');
    }
    disk.free();
    await assertWhole(host, { runState });
    return report;
  }

  const tries = (cases: readonly Tried[]) =>
    cases.flatMap(one =>
      (one.left ?? LEFT_MIB).map(left => ({
        left,
        one,
        says: `${one.caseId}${one.before ? ` after ${one.before.map(step => (typeof step === 'string' ? step : step.operation)).join(', ')}` : ''}`,
      })),
    );
  const failed = new Set<string>();
  const run = async ({ left, one, says }: ReturnType<typeof tries>[number]) => {
    const { outcome, failures } = await pinched(one, left);
    if (outcome === 'committed') return;
    failed.add(says);
    // The first cause is the lack of space, and nothing else.
    expect(failures[0]?.code).toBe('no-space');
  };

  describe('a domain that is off', () => {
    test.each(tries(OFFLINE))('$says, with $left MiB left', run);
  });

  describe('a running domain', () => {
    beforeAll(() => startDomain(host.session, DOMAIN, {}));
    afterAll(() => stopDomain(host.session, DOMAIN, {}));
    test.each(tries(LIVE))('$says, with $left MiB left', run);
  });

  test('each of these cases has met a full disk', () => {
    const all = new Set(tries([...OFFLINE, ...LIVE]).map(({ says }) => says));
    expect([...all].filter(says => !failed.has(says))).toEqual([]);
  });
});
