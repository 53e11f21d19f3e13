import { memoryCatalog } from '../../src/catalog/memory.ts';
import type { Volume } from '../../src/catalog/model.ts';
import { memoryJournal } from '../../src/journal/memory.ts';
import { RefusedError } from '../../src/plan/refusal.ts';
import { Chance } from '../seeded-random.ts';
import { SimClock } from './clock.ts';
import { type Flow, joint } from './flow.ts';
import { ImageStore } from './image-store.ts';
import { Power } from './power.ts';
import { afterUpgrade, nextRelease, stepsOfBoth } from './release.ts';
import { meanwhile, request } from './requests.ts';
import { addDomain, type SimHost, simLocks } from './sim-host.ts';
import { type Prepared, plan } from './stage.ts';
import { judgeRun, type Verdict } from './sweep.ts';
import { type Fault, World } from './world.ts';

/** What a schedule has come to. */
export interface Played {
  readonly seed: number;
  /** By case and outcome: `create.live.paused.internal committed`. */
  readonly outcomes: Map<string, number>;
  /** Requests that were refused before anything was touched. */
  refused: number;
  operations: number;
  /** Operations that went on under the version that had begun them, after an upgrade. */
  upgraded: number;
  /** Faults that struck, by kind; those that came too late for their operation are not among them. */
  readonly struck: Map<string, number>;
  readonly wrong: string[];
}

const DOMAINS = ['web1', 'db1'] as const;
/** Operations of each domain in one schedule: long enough for a history, short enough to read. */
const LENGTH = 8;

/**
 * Play one schedule, all of it of its seed: two domains of one host, each with one operation after the
 * other, on one clock and one journal; whatever may happen to them happens, at chance's moment.
 */
export async function play(seed: number): Promise<Played> {
  const clock = new SimClock();
  const chance = new Chance(seed * 2_654_435_761);
  const catalog = memoryCatalog();
  const journal = memoryJournal(catalog);
  const power = new Power(journal, () => 1 + chance.below(3));
  const books = { catalog, journal, locks: simLocks(), power };
  const hosts = DOMAINS.map((name, n) => {
    const disks = ['vda', 'vdb'].map((device, at) => ({
      device,
      head: headOf(`${name}-${device}`, at === 1 ? chance.below(8) : 0),
    }));
    return addDomain(books, name, disks, new World(seed * 2 + n, clock, new ImageStore()));
  });
  const played: Played = {
    seed,
    outcomes: new Map(),
    refused: 0,
    operations: 0,
    upgraded: 0,
    struck: new Map(),
    wrong: [],
  };
  const flow = joint(clock);
  await clock.settle(Promise.all(hosts.map(host => story(host, flow, chance, played))));
  for (const { position, what } of journal.verify().faults) {
    played.wrong.push(`the journal: record ${position} ${what}`);
  }
  return played;
}

/** A second disk may be a raw file, or a logical volume. */
const headOf = (name: string, throwOf8: number): Volume =>
  throwOf8 === 1
    ? { path: `/dev/vg0/${name}`, format: 'raw' }
    : { path: `/images/${name}`, format: throwOf8 === 2 ? 'raw' : 'qcow2' };

/** One domain's operations, until something is wrong. */
async function story(host: SimHost, flow: Flow, chance: Chance, played: Played): Promise<void> {
  for (let n = 0; n < LENGTH; n += 1) {
    host.world.heal();
    await flow.pass(meanwhile(host, chance));
    const prepared = await planned(host, flow, chance, n);
    if (!prepared) {
      played.refused += 1;
      continue;
    }
    const verdict = await run(prepared, flow, chance, played);
    count(played, prepared, verdict);
    if (verdict.wrong.length > 0) {
      const { trouble, outcome, wrong } = verdict;
      const at = `${host.domain}, its operation ${n + 1}, ${prepared.saga.id}`;
      played.wrong.push(`${at} ${JSON.stringify(trouble)} ${outcome}: ${wrong.join('; ')}`);
      return;
    }
  }
}

async function planned(
  host: SimHost,
  flow: Flow,
  chance: Chance,
  serial: number,
): Promise<Prepared | undefined> {
  try {
    return await plan(host, request(host, chance, serial), flow);
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}

/** Run an operation; at each death, its next life may be that of a later release. */
async function run(
  prepared: Prepared,
  flow: Flow,
  chance: Chance,
  played: Played,
): Promise<Verdict> {
  const { host, saga, operation } = prepared;
  let upgraded = chance.below(3) === 0;
  const began = upgraded ? nextRelease(saga) : saga;
  const sagaOf = () => {
    const before = upgraded;
    upgraded ||= chance.below(3) === 0;
    const version = host.journal.operation(operation)?.caseVersion ?? began.version;
    if (upgraded && !before && version === saga.version) played.upgraded += 1;
    return upgraded ? afterUpgrade(saga, version) : began;
  };
  const { faults, abortAt } = troubles(chance);
  const trouble = { faults, seed: played.seed, ...(abortAt === undefined ? {} : { abortAt }) };
  const run = { ...prepared, saga: began, steps: stepsOfBoth, flow, sagaOf };
  const from = host.world.moments;
  const verdict = await judgeRun(run, trouble);
  for (const { kind, at } of faults) {
    if (at + from <= host.world.moments)
      played.struck.set(kind, (played.struck.get(kind) ?? 0) + 1);
  }
  return verdict;
}

const KINDS: readonly Omit<Fault, 'at'>[] = [
  { kind: 'engine-dies' },
  { kind: 'engine-dies' },
  { kind: 'host-dies' },
  { kind: 'domain-dies' },
  { kind: 'fails' },
  { kind: 'fails', persistent: true },
  { kind: 'hangs' },
  { kind: 'late' },
];

/** None to three misfortunes, the later ones near the first; now and then the user calls it off. */
function troubles(chance: Chance): { faults: Fault[]; abortAt?: number } {
  let at = 1 + chance.below(70);
  const faults = Array.from({ length: chance.below(4) }, () => {
    const kind = chance.of(KINDS);
    const fault = { ...kind, at, ...(kind.kind === 'late' ? { lateMs: chance.below(9_000) } : {}) };
    at += 1 + chance.below(25);
    return fault;
  });
  return chance.below(8) === 0 ? { faults, abortAt: 1 + chance.below(60) } : { faults };
}

function count(played: Played, { saga }: Prepared, { outcome }: Verdict): void {
  played.operations += 1;
  const key = `${saga.id} ${outcome.split(' ')[0]}`;
  played.outcomes.set(key, (played.outcomes.get(key) ?? 0) + 1);
}
