import { describe, expect, test } from 'vitest';
import { judge, type Kind, type Promised, standing } from './judge.ts';
import type { Sight } from './sight.ts';
import { soundSight, soundSnapshot } from './sights.ts';

const promised = (changes: Partial<Promised> = {}): Promised => ({
  goal: 'create',
  name: 'wanted',
  live: true,
  qemuKilled: false,
  before: soundSight(),
  ...changes,
});

const kinds = (sight: Sight, promise = promised()): Kind[] =>
  judge(sight, promise).map(({ kind }) => kind);

const off: Partial<Sight> = { domstate: 'shut off', qemu: null, guest: null, moves: false };

test('a sound world has no faults, before and after the command', () => {
  expect(judge(soundSight(), promised())).toEqual([]);
});

describe('each thing that can be wrong is found, and named', () => {
  const found: [Kind, Partial<Sight>][] = [
    ['libvirt does not answer', { domstate: null, snapshots: [] }],
    ['guest paused', { qemu: 'paused', domstate: 'paused' }],
    ['guest paused', { domstate: 'paused' }],
    ['guest frozen', { frozen: true, moves: false }],
    ['guest hangs', { moves: false }],
    ['guest lost', off],
    ['guest runs unknown to libvirt', { domstate: 'shut off' }],
    ['guest torn', { guest: { mem: 40, vda: 40, vdb: 12 } }],
    ['stuck job', { jobs: ['commit in QEMU'] }],
    ['orphan file', { files: [...soundSight().files, '/i/wanted.memory'] }],
    ['orphan tag', { tags: [{ image: '/i/vda.earlier', tag: 'wanted' }] }],
    [
      'snapshot without its parts',
      { snapshots: [soundSnapshot('earlier', { missing: ['its memory: cut short'] })] },
    ],
    [
      'lost content',
      { snapshots: [soundSnapshot('earlier', { digests: { vda: 'a1', vdb: 'b2' } })] },
    ],
  ];
  test.each(found)('%s', (kind, changes) => {
    expect(kinds(soundSight(changes))).toEqual([kind]);
  });
});

test('a head that QEMU has left, and one whose file is gone, are wrong', () => {
  const { heads, files } = soundSight();
  const qemu = heads.live.map(({ device }) => ({ device, path: `/i/${device}.wanted` }));
  expect(kinds(soundSight({ heads: { ...heads, qemu } }))).toEqual(['wrong head', 'wrong head']);
  const gone = files.filter(path => path !== '/i/vda.earlier');
  expect(kinds(soundSight({ files: gone }))).toEqual(['wrong head']);
});

test('a guest may be off where its QEMU was killed, if its disks are of one instant', () => {
  const killed = promised({ qemuKilled: true });
  const counters = (vda: number, vdb: number) => [
    { n: vda, boot: '0' },
    { n: vdb, boot: '0' },
  ];
  expect(kinds(soundSight({ ...off, counters: counters(40, 39) }), killed)).toEqual([]);
  const apart: Kind[] = ['disks of two instants'];
  expect(kinds(soundSight({ ...off, counters: counters(12, 39) }), killed)).toEqual(apart);
  expect(kinds(soundSight({ ...off, counters: ['a mix of times'] }), killed)).toEqual(apart);
});

test('a QEMU that works on a domain that was off must be gone in the end', () => {
  const sight = soundSight({ qemu: 'prelaunch', domstate: 'paused', moves: false });
  expect(kinds(sight, promised({ live: false }))).toEqual(['QEMU left behind']);
});

test('a changed content is half merged where its snapshot was to be deleted, and lost otherwise', () => {
  const before = soundSight({ snapshots: [soundSnapshot('wanted')] });
  const changed = soundSight({
    snapshots: [soundSnapshot('wanted', { digests: { vda: 'a2', vdb: 'b1' } })],
    files: [...soundSight().files, '/i/vda.wanted', '/i/vdb.wanted'],
  });
  expect(kinds(changed, promised({ goal: 'delete', before }))).toEqual(['half merged']);
  expect(kinds(changed, promised({ before }))).toEqual(['lost content']);
});

test('a listed snapshot whose content the guest writes to is found before it has changed', () => {
  const heads = ['vda', 'vdb'].map(device => ({ device, path: `/i/${device}` }));
  const sight = soundSight({ heads: { live: heads, config: heads, qemu: heads } });
  expect(kinds(sight)).toEqual(['snapshot written to', 'snapshot written to']);
});

test('a new snapshot of disks of two instants is found', () => {
  const counters = { vda: { n: 30, boot: '0' }, vdb: { n: 21, boot: '0' } };
  const torn = soundSnapshot('wanted', { counters });
  const sight = soundSight({
    snapshots: [soundSnapshot('earlier'), torn],
    files: [...soundSight().files, '/i/vda.wanted', '/i/vdb.wanted'],
  });
  expect(kinds(sight)).toEqual(['disks of two instants']);
});

test('where the tree stands is told by what is listed, and for a revert by the counter', () => {
  const wanted = soundSight({ snapshots: [soundSnapshot('wanted')] });
  expect(standing(wanted, promised(), false)).toBe('done');
  expect(standing(soundSight(), promised(), false)).toBe('as before');
  expect(standing(wanted, promised({ goal: 'delete' }), false)).toBe('as before');
  expect(standing(soundSight(), promised({ goal: 'delete' }), false)).toBe('done');
  const back = soundSight({ guest: { mem: 12, vda: 12, vdb: 12 } });
  expect(standing(back, promised({ goal: 'revert' }), false)).toBe('done');
  expect(standing(soundSight(), promised({ goal: 'revert' }), false)).toBe('as before');
});
