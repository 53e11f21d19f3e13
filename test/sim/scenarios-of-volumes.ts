import { create, diskOnly, onlyPrecopy, remove, revert } from './chapters.ts';
import type { Scenario } from './stage.ts';

type Story = Pick<Scenario, 'history' | 'request'>;

const VOLUMES_ALONE = { ending: 'internal', formats: ['lvm', 'lvm'], what: 'logical volumes' };
/** A volume manager's snapshots and QEMU's, at one instant. */
const BOTH = { ending: 'external', formats: ['lvm', 'qcow2'], what: 'a volume and an image' };

const on = (
  { ending, formats, what }: typeof BOTH,
  stories: Readonly<Record<string, Story>>,
): Scenario[] =>
  Object.entries(stories).map(([id, story]) => ({
    name: `${id}.${ending}, ${what}`,
    formats,
    ...story,
  }));

const s1 = create('s1', diskOnly);
const s2 = create('s2', diskOnly);

/** Every way in which what is done to logical volumes differs. */
export const VOLUMES: readonly Scenario[] = [
  ...on(VOLUMES_ALONE, {
    'create.live.disk-only': { history: ['boot'], request: s1 },
    'revert.live.memory': { history: ['boot', create('s1'), 'run'], request: revert('s1') },
    'revert.offline.disk-only': {
      history: ['boot', s1, 'run', s2, 'run', 'power off'],
      request: revert('s1'),
    },
    'delete.live.chain': { history: ['boot', s1, 'run', s2, 'run'], request: remove('s1') },
  }),
  ...on(BOTH, {
    'create.live.background': { history: ['boot'], request: create('s1') },
    'create.live.precopy': { history: ['boot', onlyPrecopy], request: create('s1') },
    'revert.live.disk-only': { history: ['boot', s1, 'run'], request: revert('s1') },
    'delete.live.chain': { history: ['boot', s1, 'run', s2, 'run'], request: remove('s1') },
  }),
];
