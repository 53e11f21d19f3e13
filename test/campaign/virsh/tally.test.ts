import { expect, test } from 'vitest';
import { CASES } from './cases.ts';
import type { Fault } from './judge.ts';
import { pairsOf } from './pairs.ts';
import type { Round } from './round.ts';
import { endings, refusals, table } from './tally.ts';

const paused: Fault = { kind: 'guest paused', what: '' };
const orphan: Fault = { kind: 'orphan file', what: '' };

const round = (changes: Partial<Round>): Round => ({
  case: 'create',
  victim: 'virsh',
  share: 0.5,
  struck: true,
  ended: { ok: false, stderr: '', tookMs: 100 },
  standing: 'as before',
  faults: [],
  afterwards: null,
  ...changes,
});

const ROUNDS: readonly Round[] = [
  round({}),
  round({ standing: 'done' }),
  round({ victim: 'libvirtd', faults: [paused, orphan, orphan], afterwards: [paused] }),
  round({ victim: 'libvirtd', faults: [orphan], afterwards: [] }),
  round({ victim: 'QEMU', struck: false }),
];

test('a cell says how many ended badly, how many still did, and of how many kills', () => {
  const lines = table(ROUNDS, ['create']).split('\n');
  expect(lines[0]).toContain('| virsh | libvirtd | qemu-img | QEMU | QEMU and libvirtd | all |');
  expect(lines[2]).toBe(
    '| create | 0 / 2 | 2 (1) / 2 | – | – | – | 2 (1) / 4 | guest paused 1, orphan file 2 |',
  );
  expect(lines[3]).toContain('| all |');
});

test('the endings count only kills that struck', () => {
  expect(endings(ROUNDS)).toBe(
    '4 kills in 5 rounds: 1 done, 1 as before, 2 neither (1 of these mended by the same command again)',
  );
});

test('what virsh refuses is said in its own words', () => {
  const ended = { ok: false, stderr: 'error: not\nsupported', tookMs: 1 };
  expect(refusals([round({ victim: null }), round({ case: 'revert', ended })])).toContain(
    'refused: revert: error: not supported',
  );
  expect(refusals([round({ ended: { ...ended, ok: true } })])).toBe('');
});

test('every case meets each of its victims once before any a second time, in the order of the seed', () => {
  const count = CASES.reduce((sum, { victims }) => sum + victims.length, 0);
  const told = (seed: number) =>
    pairsOf(CASES, seed, count).map(({ case: { id }, victim }) => `${id}: ${victim}`);
  expect(new Set(told(1)).size).toBe(count);
  expect(told(1)).toEqual(told(1));
  expect(told(1)).not.toEqual(told(2));
});
