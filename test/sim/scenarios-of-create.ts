import { create, diskOnly, external, internal, mixed, noAgent, onlyPrecopy } from './chapters.ts';
import type { Scenario } from './stage.ts';

/** Every way to create. */
export const CREATES: readonly Scenario[] = [
  ...[
    { id: 'background', before: [], more: {} },
    { id: 'precopy', before: [onlyPrecopy], more: {} },
    { id: 'paused', before: [], more: { memory: 'paused' as const } },
  ].flatMap(({ id, before, more }) => [
    {
      name: `create.live.${id}.external`,
      history: ['boot' as const, ...before],
      request: create('s1', { ...external, ...more }),
    },
    {
      name: `create.live.${id}.external, mixed disks`,
      history: ['boot' as const, ...before],
      request: create('s1', { ...mixed, ...more }),
    },
    {
      name: `create.live.${id}.internal`,
      history: ['boot' as const, ...before],
      request: create('s1', { ...internal, ...more }),
    },
  ]),
  {
    name: 'create.live.paused.external, of a paused domain',
    history: ['boot paused'],
    request: create('s1', external),
  },
  {
    name: 'create.live.disk-only.external',
    history: ['boot'],
    request: create('s1', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, raw disks',
    formats: ['raw', 'qcow2'],
    history: ['boot'],
    request: create('s1', { ...external, ...diskOnly, quiesce: 'require' }),
  },
  {
    name: 'create.live.disk-only.external, no agent',
    history: ['boot', noAgent],
    request: create('s1', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, the agent gone since the plan',
    history: ['boot'],
    meanwhile: noAgent,
    request: create('s1', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, of a paused domain',
    history: ['boot paused'],
    request: create('s1', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, mixed disks',
    history: ['boot'],
    request: create('s1', { ...mixed, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, the second',
    history: ['boot', create('s1', diskOnly)],
    request: create('s2', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.internal',
    history: ['boot'],
    request: create('s1', { ...internal, ...diskOnly }),
  },
  {
    name: 'create.offline.disk-only.external',
    history: [],
    request: create('s1', external),
  },
  {
    name: 'create.offline.disk-only.external, mixed disks',
    history: [],
    request: create('s1', mixed),
  },
  {
    name: 'create.offline.disk-only.internal',
    history: [],
    request: create('s1', internal),
  },
];
