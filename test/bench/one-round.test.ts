import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../src/tools/run.ts';
import { tempFolder } from '../tools/temp-folder.ts';

const MAIN = new URL('../../src/bench/main.ts', import.meta.url).pathname;

test('one round of the engine’s part measures, prints a table and writes JSON', async () => {
  const json = join(tempFolder(), 'bench.json');
  const only = ['--only', 'engine', '--rounds', '1', '--no-build', '--json', json];
  const argv = [process.execPath, MAIN, ...only] as const;
  const { stdout } = await run(argv, { timeoutMs: 60_000, log() {} });
  const { facts, findings } = JSON.parse(readFileSync(json, 'utf8'));
  expect(facts.node).toBe(process.version);
  expect(stdout.trim().split('\n')).toHaveLength(findings.length + 2);
  const records = findings.filter(({ what }: { what: string }) => /records/.test(what));
  // A create of a domain that is off has five steps, and a record that opens it.
  expect(
    records.map((one: { domsnap: { values: number[] } }) => one.domsnap.values),
  ).toContainEqual([6]);
});
