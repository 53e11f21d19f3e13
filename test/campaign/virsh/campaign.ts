import { NoLibvirtError } from '../../../src/bench/libvirt.ts';
import { ToolError } from '../../../src/tools/tool-error.ts';
import { Chance } from '../../seeded-random.ts';
import { CASES, type Case } from './cases.ts';
import { pairsOf } from './pairs.ts';
import { playRound, type Round } from './round.ts';
import { type Stage, stageDown, stageUp } from './stage.ts';
import { type Control, endings, refusals, table, told } from './tally.ts';

/** Which rounds are played. */
export interface CampaignOptions {
  /** The number of the first round; those before it are left out. */
  readonly first: number;
  readonly count: number;
  readonly seed: number;
  /** Only cases whose names contain it. */
  readonly only: string;
}

/**
 * Play the rounds, and print a line for each and the table; answers the exit code. A libvirt that does
 * badly is no failure of the campaign.
 */
export async function campaign(
  { first, count, seed, only }: CampaignOptions,
  signal: AbortSignal,
): Promise<number> {
  const cases = CASES.filter(({ id }) => id.includes(only));
  const rounds: Round[] = [];
  const controls: Control[] = [];
  let stage: Stage | undefined;
  try {
    stage = await stageUp();
    say(`libvirt ${stage.libvirtd.version}, seed ${seed}`);
    const usual = await usualTimes(stage, cases, controls, signal);
    const able = cases.filter(({ id }) => usual.has(id));
    const pairs = pairsOf(able, seed, first + count);
    for (const [index, { case: one, victim }] of pairs.entries()) {
      if (index < first) continue;
      if (signal.aborted) break;
      const share = new Chance(seed * 1_000_003 + index).next();
      try {
        const round = await playRound(stage, one, { victim, share }, usual.get(one.id)!);
        rounds.push(round);
        // The fastest that was seen: most blows then fall within the command.
        if (round.ended.ok)
          usual.set(one.id, Math.min(round.ended.tookMs, usual.get(one.id) ?? Infinity));
        say(`${index}: ${lineOf(round)}`);
      } catch (error) {
        // The stage's own trouble, which is not held against libvirt.
        if (!(error instanceof ToolError || error instanceof NoLibvirtError)) throw error;
        say(`${index}: ${one.id}, ${victim} → not judged: ${error.message}`);
        await stageDown(stage).catch(onlyNoLibvirt);
        stage = await stageUp();
      }
    }
  } catch (error) {
    if (!(error instanceof NoLibvirtError)) throw error;
    console.error(error.message);
    return 1;
  } finally {
    if (stage) await stageDown(stage).catch(onlyNoLibvirt);
    const ids = cases.map(({ id }) => id).filter(id => rounds.some(round => round.case === id));
    if (rounds.length > 0) say(`\n${table(rounds, ids)}\n\n${endings(rounds)}, seed ${seed}`);
    if (controls.length > 0) say(refusals(controls));
  }
  return signal.aborted ? 1 : 0;
}

/** A run of each case in which nobody is killed: what it takes, and that the judge finds nothing. */
async function usualTimes(
  stage: Stage,
  cases: readonly Case[],
  controls: Control[],
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const usual = new Map<string, number>();
  for (const one of cases) {
    if (signal.aborted) break;
    const round = await playRound(stage, one, { victim: null, share: 0 }, 0);
    controls.push(round);
    const { ended, faults, standing } = round;
    const how = ended.ok ? `${standing} in ${ended.tookMs.toFixed(0)} ms` : ended.stderr;
    say(`nobody killed: ${one.id} → ${how}; ${told(faults)}`);
    if (ended.ok) usual.set(one.id, ended.tookMs);
  }
  return usual;
}

function lineOf({ case: id, victim, share, struck, standing, faults, afterwards }: Round): string {
  const where = `${id}, ${victim} at ${(share * 100).toFixed(0)} %`;
  if (!struck) return `${where} → not struck, ${standing}; ${told(faults)}`;
  if (afterwards === null) return `${where} → ${standing}`;
  return `${where} → BAD ${told(faults)}; asked again: ${told(afterwards)}`;
}

/** What is to be taken down may be what does not answer; everything else of it is gone. */
function onlyNoLibvirt(error: unknown): void {
  if (!(error instanceof NoLibvirtError)) throw error;
}

function say(line: string): void {
  console.log(line);
}
