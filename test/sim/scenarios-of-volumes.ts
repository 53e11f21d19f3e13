import { create, diskOnly, onlyPrecopy, remove, revert } from './chapters.ts';
import type { Scenario } from './stage.ts';

/** Disks whose snapshots a volume manager makes, and both kinds of disks at once. */
const KINDS = [
  { ending: 'internal', formats: ['lvm', 'lvm'], what: 'logical volumes' },
  { ending: 'external', formats: ['lvm', 'qcow2'], what: 'a logical volume and an image' },
] as const;

/** Every way in which what is done to logical volumes differs. */
export const VOLUMES: readonly Scenario[] = KINDS.flatMap(({ ending, formats, what }) => {
  const scenario = (id: string, rest: Pick<Scenario, 'history' | 'request'>): Scenario => ({
    name: `${id}.${ending}, ${what}`,
    formats,
    ...rest,
  });
  const s1 = create('s1', diskOnly);
  return [
    scenario('create.offline.disk-only', { history: [], request: s1 }),
    scenario('create.live.disk-only', { history: ['boot'], request: s1 }),
    scenario('create.live.background', { history: ['boot'], request: create('s1') }),
    scenario('create.live.precopy', { history: ['boot', onlyPrecopy], request: create('s1') }),
    scenario('revert.live.memory', {
      history: ['boot', create('s1'), 'run'],
      request: revert('s1'),
    }),
    scenario('revert.live.disk-only', { history: ['boot', s1, 'run'], request: revert('s1') }),
    scenario('revert.offline.disk-only', {
      history: ['boot', s1, 'run', create('s2', diskOnly), 'run', 'power off'],
      request: revert('s1'),
    }),
    scenario('delete.live.chain', {
      history: ['boot', s1, 'run', create('s2', diskOnly), 'run'],
      request: remove('s1'),
    }),
    scenario('delete.offline.children', {
      history: ['boot', s1, 'run', create('s2', diskOnly), 'run', 'power off'],
      request: remove('s1', { extent: 'children' }),
    }),
  ];
});
