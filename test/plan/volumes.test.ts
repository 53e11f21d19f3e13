import { describe, expect, test } from 'vitest';
import type { Snapshot, Volume } from '../../src/catalog/model.ts';
import { examineVolumes } from '../../src/doctor/examine-volumes.ts';
import { planOf } from '../../src/plan/plan.ts';
import type { Request } from '../../src/plan/request.ts';
import type { Survey } from '../../src/plan/survey.ts';
import { volumeTag } from '../../src/plan/volumes.ts';
import type { ImageView, ManagedVolume } from '../../src/storages/port.ts';
import { checkup, SNAPSHOT } from '../doctor/healthy.ts';

const MIB = 2 ** 20;
const ROOT: Volume = { path: '/dev/vg0/root', format: 'raw' };
const TAG = 'root.s1.0mwsn948t00000001';
const WHOLE = {
  tag: TAG,
  merging: false,
  open: false,
  sizeBytes: 40 * MIB,
  usedBytes: 0,
  broken: null,
};

const CLASSIC: ManagedVolume = {
  kind: 'lvm',
  group: 'vg0',
  freeBytes: 1000 * MIB,
  extentBytes: 4 * MIB,
  shared: null,
  active: true,
  open: false,
  suspended: false,
  alias: null,
  isSnapshot: false,
  merging: false,
  pool: null,
  snapshots: [WHOLE],
  foreign: [],
};
const THIN: Partial<ManagedVolume> = {
  kind: 'lvm-thin',
  pool: { name: 'pool', sizeBytes: 1000 * MIB, dataPercent: 10, metadataPercent: 10 },
};

const HELD: Snapshot = {
  ...SNAPSHOT,
  memory: null,
  disks: [{ device: 'vda', mode: 'internal', image: ROOT, tag: TAG }],
};

/** A domain that is off, on one volume of 100 MiB with one snapshot, but for what is said. */
function world(manager: Partial<ManagedVolume> = {}): Survey {
  const view: ImageView = {
    volume: ROOT,
    virtualBytes: 100 * MIB,
    allocatedBytes: 100 * MIB,
    dataBytes: 100 * MIB,
    backing: null,
    tags: [TAG],
    manager: { ...CLASSIC, ...manager },
  };
  const { facts } = checkup();
  return {
    ...facts,
    domain: { ...facts.domain, disks: [{ device: 'vda', head: ROOT }] },
    snapshots: [HELD],
    view: { ...facts.view, runState: 'off', disks: [] },
    images: new Map([[ROOT.path, view]]),
    free: new Map([['/home/memory', 1000 * MIB]]),
    operation: '0mwsn948t00000009',
  };
}

const create: Request = { operation: 'create', domain: 'web1', name: 's2' };
const revert: Request = { operation: 'revert', domain: 'web1', name: 's1' };
const codes = (request: Request, manager: Partial<ManagedVolume>) =>
  planOf(request, world(manager)).refusals.map(({ code }) => code);
const disksOf = (request: Request, manager: Partial<ManagedVolume> = {}) => {
  const { input, refusals } = planOf(request, world(manager));
  expect(refusals).toEqual([]);
  return input.operation === 'delete' || !('disks' in input) ? [] : input.disks;
};

describe('a snapshot of a logical volume', () => {
  test('is a volume of its own with room for all of it, so that it never runs full', () => {
    const [disk] = disksOf(create);
    expect(disk).toMatchObject({ mode: 'internal', tag: 'root.s2.0mwsn948t00000009' });
    // LVM needs 16 bytes for each 4 KiB, and a chunk; it gives whole extents of 4 MiB.
    expect(disk?.roomBytes).toBe(108 * MIB);
  });

  test('has the room that was asked for, and not more than can be used', () => {
    expect(disksOf({ ...create, room: { percent: 20 } })[0]?.roomBytes).toBe(20 * MIB);
    expect(disksOf({ ...create, room: { bytes: 9 * MIB } })[0]?.roomBytes).toBe(12 * MIB);
    expect(disksOf({ ...create, room: { bytes: 900 * MIB } })[0]?.roomBytes).toBe(108 * MIB);
  });

  test('that is thin takes its room from the pool', () => {
    const [disk] = disksOf(create, THIN);
    expect(disk).toMatchObject({ mode: 'internal' });
    expect(disk).not.toHaveProperty('roomBytes');
  });

  test('that would not fit is refused, and so is one of a snapshot, of a shared group, or in a merge', () => {
    expect(codes(create, { freeBytes: 50 * MIB })).toEqual(['no-space']);
    expect(codes(create, { isSnapshot: true })).toEqual(['snapshot-of-snapshot']);
    const shared = 'it is not active on this one alone';
    const remove: Request = { operation: 'delete', domain: 'web1', name: 's1' };
    for (const one of [create, revert, remove])
      expect(codes(one, { shared })).toEqual(['shared-group']);
    expect(codes(create, { merging: true })).toEqual(['merging']);
    const full = { name: 'pool', sizeBytes: 1, dataPercent: 20, metadataPercent: 96 };
    expect(codes(create, { ...THIN, pool: full })).toEqual(['no-space']);
  });

  test('is refused under a name that goes with the volume when that is put back', () => {
    expect(codes(create, { alias: '/dev/vg0/root' })).toEqual(['volume-alias']);
    expect(codes(revert, { alias: '/dev/vg0/root' })).toEqual(['volume-alias']);
  });

  test('of a raw file there is none: only a volume manager can take one', () => {
    const facts = world();
    const { manager: _, ...file } = facts.images.get(ROOT.path) as ImageView;
    const request: Request = { ...create, disks: 'internal' };
    const { refusals } = planOf(request, { ...facts, images: new Map([[ROOT.path, file]]) });
    expect(refusals.map(({ code }) => code)).toEqual(['internal-unsupported']);
  });

  test('has a name that LVM takes, however long the others are', () => {
    const tag = volumeTag(
      { path: `/dev/vg0/${'l'.repeat(120)}`, format: 'raw' },
      'a_tdata b',
      'op',
    );
    expect(tag).toMatch(/^l+\.a-tdata-b\.op$/);
    expect(tag.length).toBeLessThanOrEqual(118);
  });
});

describe('a revert of a logical volume', () => {
  test('keeps what it holds in a snapshot with room enough', () => {
    const abandonTag = 'root.left.0mwsn948t00000009';
    expect(disksOf(revert)).toMatchObject([
      { how: 'apply', tag: TAG, abandonTag, roomBytes: 108 * MIB },
    ]);
    expect(disksOf(revert, THIN)[0]).not.toHaveProperty('roomBytes');
  });

  test('is refused where another snapshot would run full of what is put back', () => {
    const used = { ...WHOLE, usedBytes: 30 * MIB };
    const other = { ...WHOLE, tag: 'root.s0.op', sizeBytes: 32 * MIB, usedBytes: 8 * MIB };
    expect(codes(revert, { snapshots: [used, { ...other, usedBytes: 0 }] })).toEqual([]);
    expect(codes(revert, { snapshots: [used, other] })).toEqual(['no-space']);
    const small: Request = { ...revert, room: { bytes: 20 * MIB } };
    expect(codes(small, { snapshots: [used] })).toEqual(['no-space']);
  });

  test('is refused where it would fill a snapshot that somebody else has taken of the volume', () => {
    const used = { ...WHOLE, usedBytes: 30 * MIB };
    const backup = { ...WHOLE, tag: 'backup', sizeBytes: 12 * MIB };
    expect(codes(revert, { snapshots: [used], foreign: [backup] })).toEqual(['no-space']);
    expect(codes(revert, { snapshots: [used], foreign: [{ ...backup, broken: 'full' }] })).toEqual(
      [],
    );
  });

  test('has time for what it merges: a large volume takes more than ten minutes', () => {
    const used = { ...WHOLE, sizeBytes: 2 ** 40, usedBytes: 2 ** 39 };
    const { deadlines } = planOf(revert, world({ snapshots: [used] }));
    expect(deadlines.applyTags).toBeGreaterThan(24 * 3_600_000);
    expect(deadlines.reapplyAbandoned).toBeGreaterThan(48 * 3_600_000);
    const thin = planOf(revert, world({ ...THIN, snapshots: [used] })).deadlines;
    expect(thin.applyTags).toBe(600_000);
  });

  test('to a snapshot that ran full is refused, and says so', () => {
    const facts = world({
      snapshots: [{ ...WHOLE, broken: 'it ran full, and LVM has given it up' }],
    });
    const [refusal] = planOf(revert, facts).refusals;
    expect(refusal).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('ran full'),
    });
  });
});

describe('a volume that somebody has open', () => {
  const held = { snapshots: [{ ...WHOLE, open: true }] };

  test('is left alone while the domain is off: it may be mounted', () => {
    for (const one of [create, revert]) expect(codes(one, { open: true })).toEqual(['in-use']);
    expect(planOf(create, world({ open: true })).refusals[0]?.hint).toContain(
      'lsblk /dev/vg0/root',
    );
  });

  test('does not keep a snapshot of it from being removed, nor one of the others from being taken', () => {
    const request: Request = { operation: 'delete', domain: 'web1', name: 's1' };
    expect(codes(request, { open: true })).toEqual([]);
    const facts = world({ open: true });
    const { manager: _, ...file } = facts.images.get(ROOT.path) as ImageView;
    const other = { path: '/vm/b.raw', format: 'raw' };
    const two: Survey = {
      ...facts,
      domain: {
        ...facts.domain,
        disks: [...facts.domain.disks, { device: 'vdb', head: other }],
      },
      images: new Map([...facts.images, [other.path, { ...file, volume: other, tags: [] }]]),
      free: new Map([...facts.free, ['/vm', 1000 * MIB]]),
    };
    const without: Request = { ...create, disk: { vda: 'none' } };
    expect(planOf(without, two).refusals).toEqual([]);
  });

  test('is told by doctor before anything is refused', () => {
    const found = examineVolumes({ ...checkup(), facts: world({ open: true }) });
    expect(found.map(({ code }) => code)).toEqual(['in-use']);
  });

  test('and is a snapshot is neither removed nor merged', () => {
    const request: Request = { operation: 'delete', domain: 'web1', name: 's1' };
    expect(codes(request, held)).toEqual(['in-use']);
    expect(codes(revert, held)).toEqual(['in-use']);
    expect(codes(create, held)).toEqual([]);
  });

  test('and is a thin snapshot can be reverted to: it is only copied from', () => {
    expect(codes(revert, { ...THIN, ...held })).toEqual([]);
  });
});

describe('doctor, on logical volumes', () => {
  const found = (manager: Partial<ManagedVolume>) =>
    examineVolumes({ ...checkup(), facts: world(manager) }).map(
      ({ code, severity }) => `${code}: ${severity}`,
    );

  test('finds nothing where all is well', () => {
    expect(found({})).toEqual([]);
    expect(found(THIN)).toEqual([]);
  });

  test('warns before a snapshot or a pool runs full, and says what is lost', () => {
    expect(found({ snapshots: [{ ...WHOLE, usedBytes: 33 * MIB }] })).toEqual([
      'filling-volume: advice',
    ]);
    expect(found({ snapshots: [{ ...WHOLE, usedBytes: 39 * MIB }] })).toEqual([
      'filling-volume: attention',
    ]);
    expect(found({ snapshots: [{ ...WHOLE, broken: 'it ran full' }] })).toEqual([
      'lost-volume: attention',
    ]);
    const pool = { name: 'pool', sizeBytes: 1, dataPercent: 85, metadataPercent: 97 };
    expect(found({ ...THIN, pool })).toEqual(['filling-pool: advice', 'filling-pool: attention']);
  });

  test('finds what no snapshot owns, and a merge that is under way', () => {
    expect(found({ snapshots: [WHOLE, { ...WHOLE, tag: 'root.lost.op' }] })).toEqual([
      'orphan-volume: attention',
    ]);
    expect(found({ merging: true })).toEqual(['merging-volume: attention']);
    expect(found({ suspended: true })).toEqual(['suspended-volume: attention']);
  });
});
