import type { Domain, Snapshot, Volume } from '../../src/catalog/model.ts';
import type { Checkup } from '../../src/doctor/checkup.ts';
import type { Survey } from '../../src/plan/survey.ts';
import type { ImageView } from '../../src/storages/port.ts';
import type { DomainView } from '../../src/toolstacks/port.ts';

/** An operation that this world's journal knows as rolled back, committed, or not at all. */
export const TAKEN_BACK = '0mwsn948t00000000';
export const DONE = '0mwsn948t00000001';
export const UNKNOWN = '0mwsn948t00000002';

export const BASE: Volume = { path: '/vm/base.qcow2', format: 'qcow2' };
export const HEAD: Volume = { path: '/vm/head.qcow2', format: 'qcow2' };

const image = (
  volume: Volume,
  backing: Volume | null,
  tags: readonly string[] = [],
): ImageView => ({
  volume,
  virtualBytes: 1_000,
  allocatedBytes: 100,
  dataBytes: 100,
  backing,
  tags,
});

const DOMAIN: Domain = {
  name: 'web1',
  toolstack: 'qemu',
  config: {},
  disks: [{ device: 'vda', head: HEAD }],
  current: 's1',
  addedAt: 0,
};

/** A checkpoint of which the base holds the disk. */
export const SNAPSHOT: Snapshot = {
  operation: DONE,
  domain: 'web1',
  name: 's1',
  parent: null,
  createdAt: 1,
  kind: 'snapshot',
  state: 'usable',
  description: '',
  consistency: 'memory',
  why: '',
  disks: [{ device: 'vda', mode: 'external', image: BASE }],
  memory: {
    path: '/vm/s1.memory',
    bytes: 1_000,
    sha256: '',
    deviceDigest: 'd',
    runState: 'running',
    capture: 'background',
  },
};

const works = { works: true, why: '' };
const VIEW: DomainView = {
  runState: 'running',
  rawState: 'running',
  disks: [{ device: 'vda', chain: [HEAD, BASE] }],
  strangeDisks: [],
  configured: [],
  pulls: 'any',
  sealed: [],
  jobs: [],
  deviceDigest: 'd',
  nextDeviceDigest: 'd',
  memoryBytes: 1,
  captures: { background: works, precopy: works, paused: works },
  agent: { answers: true, why: '' },
  version: '7.2',
};

/** What differs from a healthy world. */
export interface Ill extends Partial<Omit<Checkup, 'facts'>> {
  readonly facts?: Partial<Survey>;
  readonly view?: Partial<DomainView>;
  readonly snapshot?: Partial<Snapshot>;
}

/** A running domain with one checkpoint, all of it well, but for what is said. */
export function checkup({ facts, view, snapshot, ...rest }: Ill = {}): Checkup {
  return {
    facts: {
      at: 10,
      operation: 'now',
      domain: DOMAIN,
      snapshots: [{ ...SNAPSHOT, ...snapshot }],
      view: { ...VIEW, ...view },
      images: new Map([
        [HEAD.path, image(HEAD, BASE)],
        [BASE.path, image(BASE, null)],
      ]),
      unreadable: new Map(),
      free: new Map(),
      memoryFiles: new Map([['/vm/s1.memory', 1_000]]),
      holders: new Map(),
      usedElsewhere: new Map(),
      memoryFolder: '/home/memory',
      ...facts,
    },
    silent: null,
    frozen: false,
    open: null,
    last: null,
    statusOf: id => ({ [TAKEN_BACK]: 'rolledBack', [DONE]: 'committed' })[id] as never,
    strays: [],
    inTrash: new Map(),
    forbidden: [],
    exposed: [],
    owners: new Map([
      [HEAD.path, ['vda of web1']],
      [BASE.path, ['the snapshot s1 of web1']],
    ]),
    ...rest,
  };
}

export { image, VIEW };
