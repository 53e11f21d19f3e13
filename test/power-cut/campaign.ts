import { constants, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Chance } from '../seeded-random.ts';
import { CUT_CASES, type CutCase, catalogueId } from './cases.ts';
import { type Cut, cutOf } from './cuts.ts';
import { judge, recoverHere, type Verdict } from './judge.ts';
import { type Base, baseOf, type Lab, makeLab, replayJournal, takeOut } from './lab.ts';
import { type Answer, type LabHost, startLabHost } from './lab-host.ts';
import { type Operated, operateUntil } from './operate-until.ts';
import { type CutStory, imageAfterCut, parseWriteLog } from './write-log.ts';

/** What is to be cut off. */
export interface CampaignOptions {
  readonly cuts: number;
  /** Of the first cut; each further one has the next. A cut is repeated by its own seed. */
  readonly seed: number;
  /** At how many more moments each of them is cut off, without a boot. */
  readonly replays?: number | undefined;
  /** Only cases whose id in the catalogue, with its storage before a colon, matches. */
  readonly only?: RegExp | undefined;
  /** fsync and its like do nothing in domsnap and its tools, to see that the proof can fail. */
  readonly withoutSync?: boolean | undefined;
  readonly cacheFolder: string;
  /** Told each result as it comes. */
  readonly told: (result: CutResult) => void;
}

/** One power cut, and what became of it. */
export interface CutResult extends Verdict {
  /** The cut's seed; for a replay with its number behind a dot. */
  readonly id: string;
  readonly name: string;
  /** Where it came. */
  readonly moment: string;
  readonly story: CutStory;
  readonly elapsedMs: number;
}

/**
 * Cut the power of a lab host in the middle of one operation after the other. Each boot recovers from
 * the cut before, and then begins the next operation on a disk of its own: one boot for each cut.
 */
export async function powerCuts(options: CampaignOptions): Promise<readonly CutResult[]> {
  const cases = CUT_CASES.filter(one => options.only?.test(nameOf(one)) ?? true);
  if (cases.length === 0) throw new Error('there is no such case');
  const lab = await makeLab(options);
  const results: CutResult[] = [];
  const tell = (result: CutResult) => {
    results.push(result);
    options.told(result);
  };
  try {
    let before: Happened | undefined;
    for (let index = 0; index <= options.cuts; index += 1) {
      const next = index < options.cuts ? cutOf(options.seed + index, cases) : undefined;
      before = await oneBoot(lab, before, next, tell);
      for (let number = 1; before && number <= (options.replays ?? 0); number += 1)
        tell(await replay(lab, before, number));
    }
  } finally {
    await lab.host?.cut();
    await rm(lab.work, { recursive: true, force: true });
  }
  return results;
}

/** An operation that was cut off. */
interface Happened extends Operated {
  readonly cut: Cut;
  readonly base: Base;
  readonly log: Buffer;
  readonly story: CutStory;
  readonly begunMs: number;
}

async function oneBoot(
  lab: Lab,
  before: Happened | undefined,
  next: Cut | undefined,
  tell: (result: CutResult) => void,
): Promise<Happened | undefined> {
  const base = next && (await baseOf(lab, next.cutCase));
  const begunMs = performance.now();
  const host = boot(lab, before !== undefined, next, base);
  lab.host = host;
  const booted = await host.boot;
  const strange = before ? await recoveredWell(host, booted) : [];
  // The guest goes on to the next operation meanwhile.
  const judging = before ? judged(lab, before, strange) : undefined;
  judging?.catch(() => {});
  const operated =
    next && base
      ? await operateUntil(host, next, { ...lab, ...base.history, now: lab.logged })
      : undefined;
  await host.cut();
  lab.host = undefined;
  const result = await judging;
  if (result) tell(result);
  if (!next || !base || !operated) return undefined;
  const log = readFileSync(lab.disks.log);
  const chance = new Chance(next.seed ^ 0x5eed);
  const story = imageAfterCut(
    base.image,
    log,
    Number.POSITIVE_INFINITY,
    lab.disks.recovered,
    chance,
  );
  return { ...operated, cut: next, base, log, story, begunMs };
}

function boot(
  lab: Lab,
  recovering: boolean,
  next: Cut | undefined,
  base: Base | undefined,
): LabHost {
  const { recovered, fresh, log } = lab.disks;
  if (base) copyFileSync(base.image, fresh, constants.COPYFILE_FICLONE);
  writeFileSync(log, '');
  return startLabHost({
    kernel: join(lab.kit.folder, 'vmlinuz'),
    initramfs: lab.initramfs,
    root: lab.root,
    data: lab.data,
    mount: next ? `,commit=${next.commitS}` : '',
    recovered: recovering ? recovered : undefined,
    fresh: base ? { image: fresh, log } : undefined,
    console: join(lab.work, 'console'),
  });
}

/** What a boot after a cut says that it should not; afterwards nothing uses the disk any more. */
async function recoveredWell(host: LabHost, booted: Answer): Promise<readonly string[]> {
  const strange: string[] = [];
  if (booted.status !== 0) strange.push(`recover: ${booted.status}: ${booted.lines.join(' / ')}`);
  // A revert that was carried on has its domain running.
  const runs = await host.run('pidof qemu-system-x86_64');
  if (runs.status === 0) {
    const { status, lines } = await host.run('domsnap domain show web --json');
    const told = lines.join(' ');
    if (status !== 0 || !/"runState":\s*"running"/.test(told))
      strange.push(`I1: ${told.slice(0, 300)}`);
  }
  const left = await host.run('end_guests; umount_data');
  if (left.status !== 0) throw new Error(`the disk is still in use: ${left.lines.join(' / ')}`);
  return strange;
}

async function judged(
  lab: Lab,
  happened: Happened,
  strange: readonly string[],
): Promise<CutResult> {
  const { cut, base, end, moment, story, begunMs } = happened;
  await takeOut(lab, lab.disks.recovered);
  const { history } = base;
  const witness = { cutCase: cut.cutCase, history, acknowledged: end?.status ?? null };
  const verdict = await judge(lab.data, witness);
  return {
    ...verdict,
    violations: [...strange, ...verdict.violations],
    id: String(cut.seed),
    name: nameOf(cut.cutCase),
    moment,
    story,
    elapsedMs: performance.now() - begunMs,
  };
}

/** The same operation, cut off at another moment of what its disk was told; recovered from here. */
async function replay(lab: Lab, happened: Happened, number: number): Promise<CutResult> {
  const { cut, base, log, begunBytes, end } = happened;
  const begunMs = performance.now();
  const requests = parseWriteLog(log);
  const first = requests.findIndex(request => request.end > begunBytes);
  const chance = new Chance(cut.seed * 1000 + number);
  const count = first < 0 ? requests.length : first + chance.below(requests.length - first + 1);
  const told = end !== null && (requests[count]?.end ?? log.length) > end.logBytes;
  const image = join(lab.work, 'replay.ext4');
  const story = imageAfterCut(base.image, log, count, image, chance);
  await replayJournal(image);
  await takeOut(lab, image);
  const strange = await recoverHere(lab.data);
  const acknowledged = told ? end.status : null;
  const { cutCase } = cut;
  const verdict = await judge(lab.data, { cutCase, history: base.history, acknowledged });
  return {
    ...verdict,
    violations: [...strange, ...verdict.violations],
    id: `${cut.seed}.${number}`,
    name: nameOf(cutCase),
    moment: `request ${count - Math.max(first, 0)} of ${requests.length - Math.max(first, 0)}`,
    story,
    elapsedMs: performance.now() - begunMs,
  };
}

/** Which case, in which storage: `overlay:create.live.background.external`. */
export const nameOf = (cutCase: CutCase): string => `${cutCase.storage}:${catalogueId(cutCase)}`;
