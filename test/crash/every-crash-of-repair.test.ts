import { describe, expect, test } from 'vitest';
import { REPAIRS } from '../../machines/index.ts';
import { hostSteps } from '../../src/steps/index.ts';
import type { GcInput, RepairInput } from '../../src/steps/input.ts';
import { type Drive, drive, recover } from '../sim/drive.ts';
import { bootDomain, DOMAIN, type SimHost, simHost } from '../sim/sim-host.ts';
import type { Fault } from '../sim/world.ts';

const HEAD = { path: '/images/disk0', format: 'qcow2' };
const OTHER = { path: '/images/other', format: 'qcow2' };
const ORPHAN = '/images/guest.vda.s1.0mwsn948ted917c64.qcow2';
const TRASHED = '/images/.domsnap-trash/old/file';

const common = {
  domain: DOMAIN,
  name: 'finding',
  at: 1,
  runBefore: 'paused',
  runAfter: 'running',
} as const;
const repair: RepairInput = { ...common, operation: 'repair', jobs: [], heads: [], orphans: [] };
const gc: GcInput = {
  ...common,
  operation: 'gc',
  files: [{ folder: '/images/.domsnap-trash', operation: 'old', name: 'file', bytes: 1 }],
};

interface Ill {
  readonly id: string;
  readonly input: RepairInput | GcInput;
  readonly isWell: (host: SimHost) => boolean;
}

/** What each repair is for, and how one sees that it is made good. */
const ILLS: readonly Ill[] = [
  {
    id: 'repair.resume',
    input: repair,
    isWell: ({ world }) => world.process?.runState === 'running',
  },
  { id: 'repair.thaw', input: repair, isWell: ({ world }) => world.process?.frozen === 0 },
  {
    id: 'repair.jobs',
    input: { ...repair, jobs: ['domsnap-old-up-vda'] },
    isWell: ({ world }) => world.process?.jobs.size === 0,
  },
  {
    id: 'repair.heads',
    input: { ...repair, heads: [{ device: 'vda', head: OTHER }] },
    isWell: ({ catalog }) => catalog.domain(DOMAIN)?.disks[0]?.head.path === OTHER.path,
  },
  {
    id: 'repair.orphans',
    input: { ...repair, orphans: [ORPHAN] },
    isWell: ({ world }) =>
      !world.store.files.has(ORPHAN) &&
      [...world.store.files.keys()].some(path => path.includes('.domsnap-trash/now/')),
  },
  { id: 'gc.trash', input: gc, isWell: ({ world }) => !world.store.files.has(TRASHED) },
];

/** A host on which all of that is the case at once. */
function illHost(id: string): SimHost {
  const host = simHost([{ device: 'vda', head: HEAD }]);
  const { world } = host;
  // An agent answers only while its guest runs.
  bootDomain(host, id === 'repair.resume' ? 'paused' : 'running');
  world.store.makeImage(OTHER, HEAD);
  const { process } = world;
  if (!process) throw new Error('the domain is off');
  process.heads.set('vda', OTHER);
  process.frozen = 2;
  world.store.files.set(ORPHAN, { kind: 'file', text: 'x' });
  world.store.files.set(TRASHED, { kind: 'file', text: 'x' });
  const job = 'domsnap-old-up-vda';
  const merge = { job, device: 'vda', top: OTHER, base: null };
  const state = { status: 'running', error: null, cursor: 0 } as const;
  process.jobs.set(job, { id: job, kind: 'stream', merge, ...state });
  world.moments = 0;
  return host;
}

function driveOf({ id, input }: Ill): Drive {
  const saga = REPAIRS.get(id);
  if (!saga) throw new Error(`no repair ${id}`);
  return { host: illHost(id), saga, steps: hostSteps, operation: 'now', input, deadlines: {} };
}

test('every repair is tried', () => {
  expect(ILLS.map(({ id }) => id).sort()).toEqual([...REPAIRS.keys()].sort());
});

describe.each(ILLS)('$id', ill => {
  test('makes it good', async () => {
    const spec = driveOf(ill);
    expect(ill.isWell(spec.host)).toBe(false);
    const { ending } = await drive(spec);
    expect(ending.outcome).toBe('committed');
    expect(ill.isWell(spec.host)).toBe(true);
  });

  test.each<Fault['kind']>(['engine-dies', 'host-dies', 'fails', 'domain-dies'])(
    'comes to an end wherever there is: %s',
    async kind => {
      const { moments } = await drive(driveOf(ill));
      expect(moments).toBeGreaterThan(0);
      for (let at = 1; at <= moments; at += 1) {
        const spec = { ...driveOf(ill), faults: [{ kind, at }] };
        let { outcome } = (await drive(spec)).ending;
        spec.host.world.heal();
        if (outcome === 'needsAttention') ({ outcome } = (await recover(spec)).ending);
        expect(outcome, `at ${at}`).toMatch(/^(committed|rolledBack)$/);
        const lives = spec.host.world.process !== null;
        if (outcome === 'committed' && lives) expect(ill.isWell(spec.host), `at ${at}`).toBe(true);
        const records = spec.host.journal.records('now').length;
        await recover(spec);
        expect(spec.host.journal.records('now')).toHaveLength(records);
      }
    },
  );
});
