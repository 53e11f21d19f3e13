import { create, diskOnly, external, internal, mixed, revert } from './chapters.ts';
import type { Scenario } from './stage.ts';

/** Every way to revert. */
export const REVERTS: readonly Scenario[] = [
  ...(['external', 'internal'] as const).flatMap(disks => [
    {
      name: `revert.live.memory.${disks}`,
      history: ['boot' as const, create('s1', { disks }), 'run' as const],
      request: revert('s1'),
    },
    {
      name: `revert.live.memory.${disks}, to stand still`,
      history: ['boot' as const, create('s1', { disks }), 'run' as const],
      request: revert('s1', { runAfter: 'paused' }),
    },
    {
      name: `revert.live.disk-only.${disks}`,
      history: ['boot' as const, create('s1', { disks, ...diskOnly }), 'run' as const],
      request: revert('s1'),
    },
    {
      name: `revert.live.disk-only.${disks}, to off`,
      history: ['boot' as const, create('s1', { disks, ...diskOnly }), 'run' as const],
      request: revert('s1', { runAfter: 'off' }),
    },
    {
      name: `revert.offline.memory.${disks}`,
      history: ['boot' as const, create('s1', { disks }), 'run' as const, 'power off' as const],
      request: revert('s1'),
    },
    {
      name: `revert.offline.disk-only.${disks}`,
      history: [
        'boot' as const,
        create('s1', { disks, ...diskOnly }),
        'run' as const,
        'power off' as const,
      ],
      request: revert('s1'),
    },
  ]),
  {
    name: 'revert.offline.disk-only.internal, and run',
    history: ['boot', create('s1', { ...internal, ...diskOnly }), 'run', 'power off'],
    request: revert('s1', { runAfter: 'running' }),
  },
  {
    name: 'revert.live.disk-only.internal, out of a base',
    history: [
      'boot',
      create('s1', { ...internal, ...diskOnly }),
      'run',
      create('s2', { ...external, ...diskOnly }),
      'run',
    ],
    request: revert('s1'),
  },
  {
    name: 'revert.live.memory.external, mixed disks',
    history: ['boot', create('s1', mixed), 'run'],
    request: revert('s1'),
  },
  {
    name: 'revert.live.disk-only.external, back to where it came from',
    history: [
      'boot',
      create('s1', diskOnly),
      'run',
      create('s2', diskOnly),
      'run',
      revert('s1'),
      'run',
    ],
    request: revert('s2'),
  },
];
