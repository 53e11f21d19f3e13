import { expect, test } from 'vitest';
import type { Snapshot } from '../../src/catalog/model.ts';
import { plain } from '../../src/cli/output.ts';
import { renderTree } from '../../src/cli/tree.ts';

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;

function snapshot(name: string, parent: string | null, more: Partial<Snapshot> = {}): Snapshot {
  return {
    operation: `op-${name}`,
    domain: 'web1',
    name,
    parent,
    createdAt: NOW - 2 * HOUR,
    kind: 'snapshot',
    state: 'usable',
    description: '',
    consistency: 'offline',
    why: '',
    disks: [],
    memory: null,
    ...more,
  };
}

const memory = {
  path: '/m',
  bytes: 512 * 2 ** 20,
  sha256: '',
  deviceDigest: '',
  runState: 'running',
  capture: 'background',
} as const;

const draw = (snapshots: readonly Snapshot[], current: string | null): string =>
  renderTree({ domain: 'web1', current, snapshots, sizes: new Map(), nowMs: NOW }, plain);

const names = (text: string): string[] => text.split('\n').map(line => line.replace(/ {2,}.*/, ''));

test('a chain runs straight down to the place where the domain is', () => {
  expect(names(draw([snapshot('a', null), snapshot('b', 'a'), snapshot('c', 'b')], 'c'))).toEqual([
    'web1',
    '○ a',
    '○ b',
    '○ c',
    '◆ you are here',
  ]);
});

test('what branches off stands indented before the way to the running head goes on', () => {
  const left = snapshot('left', 'base', { kind: 'abandoned' });
  const all = [
    snapshot('base', null),
    snapshot('try', 'base'),
    snapshot('try-2', 'try'),
    snapshot('try-3', 'try'),
    left,
    snapshot('next', 'base'),
  ];
  expect(names(draw(all, 'next'))).toEqual([
    'web1',
    '○ base',
    '├─○ try',
    '│ ├─○ try-2',
    '│ ○ try-3',
    '├─◌ left',
    '○ next',
    '◆ you are here',
  ]);
});

test('after a revert the running head hangs on the snapshot that it descends from', () => {
  expect(names(draw([snapshot('base', null), snapshot('later', 'base')], 'base'))).toEqual([
    'web1',
    '○ base',
    '├─○ later',
    '◆ you are here',
  ]);
});

test('several roots, a parent that is gone, and a head without a parent are all shown', () => {
  expect(names(draw([snapshot('a', 'gone'), snapshot('b', null)], null))).toEqual([
    'web1',
    '├─○ a',
    '├─○ b',
    '◆ you are here',
  ]);
});

test('each snapshot tells its age, kind, what it is good for, and what it occupies', () => {
  const all = [
    snapshot('mem', null, { memory, consistency: 'memory' }),
    snapshot('going', 'mem', { state: 'dissolving', consistency: 'crash-consistent' }),
    snapshot('left', 'mem', { kind: 'abandoned' }),
  ];
  const sizes = new Map([['mem', { own: 3 * 2 ** 20, shared: 2 ** 30, missing: ['/x'] }]]);
  const text = renderTree(
    { domain: 'web1', current: 'mem', snapshots: all, sizes, nowMs: NOW },
    plain,
  );
  expect(text).toBe(
    [
      'web1',
      '● mem                         2 h  checkpoint   memory 512 MiB    own 3.0 MiB  shared 1.0 GiB  1 missing',
      '├─○ going (being deleted)     2 h  disk-only    crash-consistent  own 0 B',
      '├─◌ left                      2 h  left behind  offline           own 0 B',
      '◆ you are here',
    ].join('\n'),
  );
});

test('a chain of ten thousand is drawn in a moment, and no wider than one of three', () => {
  const chain = Array.from({ length: 10_000 }, (_, index) =>
    snapshot(`s${index}`, index === 0 ? null : `s${index - 1}`),
  );
  const begunMs = performance.now();
  const lines = draw(chain, 's9999').split('\n');
  expect(performance.now() - begunMs).toBeLessThan(2_000);
  expect(lines).toHaveLength(10_002);
  expect(Math.max(...lines.map(line => line.length))).toBeLessThan(80);
});
