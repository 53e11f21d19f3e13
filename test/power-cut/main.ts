import { parseArgs } from 'node:util';
import { labCacheFolder } from '../../src/lab/kit.ts';
import { type CutResult, powerCuts } from './campaign.ts';

/** `npm run power-cut -- --cuts 50 --seed 1 [--replays 4] [--only REGEXP] [--without-sync]` */
const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    replays: { type: 'string', default: '4' },
    only: { type: 'string' },
    'without-sync': { type: 'boolean', default: false },
  },
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const results = await powerCuts({
  cuts: Number(values.cuts),
  seed: Number(values.seed),
  replays: Number(values.replays),
  only: values.only === undefined ? undefined : new RegExp(values.only),
  withoutSync: values['without-sync'],
  cacheFolder: labCacheFolder(process.env),
  told: tell,
});
summary(results);

if (results.some(({ violations }) => violations.length > 0)) process.exitCode = 1;

function tell({ id, name, outcome, moment, story, violations, elapsedMs }: CutResult): void {
  const lost = `${story.inFlight - story.kept} of ${story.inFlight} unflushed pieces lost`;
  const time = `${(elapsedMs / 1000).toFixed(0)} s`;
  const mark = violations.length === 0 ? '✔' : '✘';
  console.log(`${mark} ${id}  ${name}  ${outcome}  cut at ${moment}; ${lost}; ${time}`);
  for (const violation of violations) console.log(`    ${violation}`);
}

/** A line for each case: cuts, outcomes, and the seeds of those that violated something. */
function summary(all: readonly CutResult[]): void {
  console.log('\n| case | cuts | committed | rolled back | none | violated by seed |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const name of [...new Set(all.map(one => one.name))].sort()) {
    const here = all.filter(one => one.name === name);
    const count = (outcome: string) => here.filter(one => one.outcome === outcome).length;
    const bad = here.filter(({ violations }) => violations.length > 0).map(({ id }) => id);
    const cells = [here.length, count('committed'), count('rolledBack'), count('none')];
    console.log(`| ${name} | ${cells.join(' | ')} | ${bad.join(' ') || '–'} |`);
  }
  const bad = all.filter(({ violations }) => violations.length > 0).length;
  console.log(`\n${all.length} cuts, ${bad} with violations`);
}
