import { create, diskOnly, external, fills, internal, mixed, remove, revert } from './chapters.ts';
import type { Chapter, Scenario } from './stage.ts';

/** Every way to delete. */
export const DELETES: readonly Scenario[] = [
  ...(['live', 'offline'] as const).flatMap(state => {
    const off: Chapter[] = state === 'offline' ? ['power off'] : [];
    const one = (more: object) => create('s1', { ...diskOnly, ...more });
    return [
      {
        name: `delete.${state}.standalone.external, upward`,
        history: ['boot' as const, one(external), 'run' as const, fills, ...off],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.standalone.external, downward`,
        history: ['boot' as const, fills, one(external), ...off],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.standalone.internal`,
        history: ['boot' as const, one(internal), 'run' as const, ...off],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.standalone.external, with memory`,
        history: ['boot' as const, create('s1', external), 'run' as const, ...off],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.chain.external, the middle one`,
        history: [
          'boot' as const,
          one(external),
          'run' as const,
          create('s2', diskOnly),
          'run' as const,
          create('s3', diskOnly),
          'run' as const,
          ...off,
        ],
        request: remove('s2'),
      },
      {
        name: `delete.${state}.chain.external, the middle one downward`,
        history: [
          'boot' as const,
          one(external),
          fills,
          create('s2', diskOnly),
          create('s3', diskOnly),
          'run' as const,
          ...off,
        ],
        request: remove('s2'),
      },
      {
        name: `delete.${state}.chain.external, the root`,
        history: [
          'boot' as const,
          fills,
          one(external),
          create('s2', diskOnly),
          'run' as const,
          ...off,
        ],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.chain.external, mixed disks`,
        history: [
          'boot' as const,
          one(mixed),
          'run' as const,
          create('s2', { ...diskOnly, ...external }),
          'run' as const,
          ...off,
        ],
        request: remove('s2'),
      },
      {
        name: `delete.${state}.chain.external, with two branches`,
        history: [
          'boot' as const,
          one(external),
          'run' as const,
          create('s2', diskOnly),
          'run' as const,
          revert('s1'),
          'run' as const,
          ...off,
        ],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.children.external, internal ones among them`,
        history: [
          'boot' as const,
          fills,
          one(external),
          'run' as const,
          create('s2', internal),
          ...off,
        ],
        request: remove('s1', { extent: 'children' }),
      },
      {
        name: `delete.${state}.chain.internal`,
        history: [
          'boot' as const,
          one(internal),
          'run' as const,
          create('s2', { ...diskOnly, ...internal }),
          'run' as const,
          ...off,
        ],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.children.external`,
        history: [
          'boot' as const,
          one(external),
          'run' as const,
          create('s2', diskOnly),
          'run' as const,
          create('s3', diskOnly),
          'run' as const,
          ...off,
        ],
        request: remove('s2', { extent: 'children' }),
      },
      {
        name: `delete.${state}.children.external, the children only`,
        history: [
          'boot' as const,
          one(external),
          fills,
          create('s2', diskOnly),
          'run' as const,
          create('s3', diskOnly),
          ...off,
        ],
        request: remove('s1', { extent: 'children-only' }),
      },
      {
        name: `delete.${state}.children.internal`,
        history: [
          'boot' as const,
          one(internal),
          'run' as const,
          create('s2', { ...diskOnly, ...internal }),
          'run' as const,
          ...off,
        ],
        request: remove('s1', { extent: 'children' }),
      },
    ];
  }),
];
