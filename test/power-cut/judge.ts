import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Snapshot } from '../../src/catalog/model.ts';
import { thisProcess } from '../../src/engine/who.ts';
import { examineHost } from '../../src/operations/doctor.ts';
import { stopDomain, viewDomain } from '../../src/operations/domains.ts';
import { openSession } from '../../src/operations/open-session.ts';
import { recover } from '../../src/operations/recover.ts';
import { runRequest } from '../../src/operations/run-request.ts';
import type { Session } from '../../src/operations/session.ts';
import { type CutCase, catalogueId } from './cases.ts';
import { patternsOf, readDisks, readSnapshot, type SnapshotContent } from './content.ts';
import { strangeFiles, unsoundImages } from './files-left.ts';
import { DOMAIN, disksOf, type History } from './histories.ts';

/** What was seen of a power cut, from outside. */
export interface Witness {
  readonly cutCase: CutCase;
  readonly history: History;
  /** The operation's exit code, if it was told before the cut. */
  readonly acknowledged: number | null;
}

/** How things stood after the recovery: `none` where the cut came before the operation's first record. */
export type CutOutcome = 'committed' | 'rolledBack' | 'none' | 'open';

export interface Verdict {
  readonly outcome: CutOutcome;
  /** What does not hold, by the invariants of the design; empty where all is well. */
  readonly violations: readonly string[];
}

/** Recover in a folder, as a boot would. Answers what is not as it should be then; no guest runs after it. */
export async function recoverHere(data: string): Promise<readonly string[]> {
  const session = openSession({ home: join(data, 'home'), who: thisProcess(), watchdog: null });
  try {
    const strange = (await recover(session, undefined))
      .filter(({ outcome }) => outcome !== 'committed' && outcome !== 'rolledBack')
      .map(({ outcome, failures }) => `recover: ${outcome} ${JSON.stringify(failures)}`);
    const { view } = await viewDomain(session, DOMAIN);
    if (view.runState === 'off') return strange;
    if (view.runState !== 'running') strange.push(`I1: the domain is ${view.runState}`);
    await stopDomain(session, DOMAIN, {});
    return strange;
  } finally {
    session.close();
  }
}

/** Judge what a power cut and the recovery after it left in a folder. Recovers, and goes on, in it. */
export async function judge(data: string, witness: Witness): Promise<Verdict> {
  const violations: string[] = [];
  const claim = async (what: string, body: () => Promise<unknown> | unknown) => {
    try {
      const wrong = await body();
      if (typeof wrong === 'string') violations.push(`${what}: ${wrong}`);
    } catch (error) {
      violations.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const home = join(data, 'home');
  const session = openSession({ home, who: thisProcess(), watchdog: null });
  let outcome: CutOutcome = 'none';
  try {
    outcome = outcomeOf(session, witness);
    await claim('audit', () => session.journal.verify().faults[0]?.what);
    await claim('I6', () => stillOpen(session));
    await claim('done was said', () => broken(witness.acknowledged, outcome));
    await claim('tree', () => wrongTree(session, witness, outcome));
    for (const snapshot of session.catalog.snapshots(DOMAIN)) {
      await claim(`I3 ${snapshot.name}`, () => wrongContent(snapshot, witness));
    }
    await claim('I4', () => wrongHeads(session, witness, outcome));
    await claim('I5', () => strangeFiles(session, DOMAIN));
    await claim('images', () => unsoundImages(session, DOMAIN));
    await claim('doctor', () => findings(session));
    await claim('I7', () => changedByRecovery(session, data));
    await claim('life goes on', () => nextCreate(session, witness.cutCase));
  } finally {
    session.close();
  }
  return { outcome, violations };
}

function outcomeOf({ journal }: Session, { cutCase, history }: Witness): CutOutcome {
  const [last] = journal.operations({ subject: DOMAIN, limit: 1 });
  if (!last || history.operations.has(last.id)) return 'none';
  if (last.caseId !== catalogueId(cutCase)) throw new Error(`the case became ${last.caseId}`);
  return last.status === 'needsAttention' ? 'open' : last.status;
}

function stillOpen({ journal }: Session): string | undefined {
  const [open] = journal.operations({ status: ['open', 'needsAttention'] });
  return open && `${open.id} (${open.caseId}) is ${open.status}`;
}

/** What was told as done must outlive the cut; what was told as taken back must not come again. */
function broken(acknowledged: number | null, outcome: CutOutcome): string | undefined {
  if (acknowledged === null || (acknowledged === 0 && outcome === 'committed')) return undefined;
  return acknowledged === 0 ? `but it is ${outcome}` : `it ended with exit code ${acknowledged}`;
}

function wrongTree({ catalog }: Session, witness: Witness, outcome: CutOutcome) {
  const { history, cutCase } = witness;
  const expected = new Set(history.snapshots.keys());
  if (outcome === 'committed' && cutCase.does.operation === 'create') expected.add('new');
  if (outcome === 'committed' && cutCase.does.operation === 'delete') {
    for (const name of deleted(cutCase.does, history)) expected.delete(name);
  }
  const found = catalog.snapshots(DOMAIN);
  const unusable = found.find(({ state }) => state !== 'usable');
  if (unusable) return `${unusable.name} is ${unusable.state}`;
  // A revert may keep what the disks held.
  const kept = (one: Snapshot) => cutCase.does.operation === 'revert' && one.kind === 'abandoned';
  const names = found.filter(one => expected.has(one.name) || !kept(one)).map(({ name }) => name);
  const [is, shall] = [names.sort().join(' '), [...expected].sort().join(' ')];
  return is === shall ? undefined : `listed are ${is}; ${outcome} means ${shall}`;
}

/** The snapshot, and with `children` all below it. */
function deleted({ name, children }: { name: string; children: boolean }, history: History) {
  const gone = new Set([name]);
  for (const [child, parent] of children ? history.parents : []) {
    if (parent !== null && gone.has(parent)) gone.add(child);
  }
  return gone;
}

/** I3 of what was there before the operation; I3 and I8 of what it made. */
async function wrongContent(snapshot: Snapshot, { cutCase, history }: Witness) {
  const now = await readSnapshot(snapshot);
  const before = history.snapshots.get(snapshot.name);
  if (before) {
    return JSON.stringify(now) === JSON.stringify(before) ? undefined : differs(before, now);
  }
  const [is, shall] = [patternsOf(now.disks), patternsOf(history.heads)];
  if (is !== shall) return `it holds ${is}; the heads held ${shall}`;
  if (cutCase.does.operation === 'create' && cutCase.does.memory !== (now.memory !== null)) {
    return 'it has no memory, or should have none';
  }
  return ofTwoInstants(now);
}

function differs(before: SnapshotContent, now: SnapshotContent): string {
  const brief = (one: SnapshotContent) =>
    `${patternsOf(one.disks)}, counters ${Object.values(one.disks).map(({ counter }) => counter)}`;
  return `it held ${brief(before)}; it holds ${brief(now)}`;
}

function ofTwoInstants({ disks, memory }: SnapshotContent): string | undefined {
  const [first, second] = [disks.vda?.counter ?? 0, disks.vdb?.counter ?? 0];
  const apart = [first - second, memory ? memory.counter - second : first - second];
  const ordered = first >= second && (memory === null || memory.counter >= first);
  if (ordered && apart.every(ticks => ticks === 0 || ticks === 1)) return undefined;
  return `I8: memory ${memory?.counter ?? '-'}, vda ${first}, vdb ${second}`;
}

/** The heads hold what the operation's outcome says, whatever the guest wrote to its own sector. */
async function wrongHeads(
  { catalog }: Session,
  { cutCase, history }: Witness,
  outcome: CutOutcome,
) {
  const disks = catalog.domain(DOMAIN)!.disks.map(({ device, head }) => ({ device, image: head }));
  const now = await readDisks(disks);
  const { does } = cutCase;
  const reverted = does.operation === 'revert' && outcome === 'committed';
  const shall = reverted ? history.snapshots.get(does.name)!.disks : history.heads;
  if (patternsOf(now) === patternsOf(shall)) return undefined;
  return `the heads hold ${patternsOf(now)} instead of ${patternsOf(shall)}`;
}

async function findings(session: Session): Promise<string | undefined> {
  const { findings } = await examineHost(session, { fix: false, sure: [] });
  return findings.find(({ finding }) => finding.severity === 'attention')?.finding.what;
}

async function changedByRecovery(session: Session, data: string): Promise<string | undefined> {
  const { journal, catalog } = session;
  const all = () =>
    JSON.stringify([
      catalog.domain(DOMAIN),
      catalog.snapshots(DOMAIN),
      journal.operations({}),
      filesOf(join(data, 'images')),
    ]);
  const before = all();
  const reports = await recover(session, undefined);
  if (reports.length > 0) return `there was something to recover: ${reports[0]!.outcome}`;
  return all() === before ? undefined : 'a second recovery changed something';
}

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
    .map(path => `${path} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`);

/** The domain bears the next operation. */
async function nextCreate(session: Session, { storage }: CutCase): Promise<string | undefined> {
  const request = {
    operation: 'create',
    domain: DOMAIN,
    name: 'next',
    ...disksOf[storage],
  } as const;
  const { outcome, failures } = await runRequest(session, request, {});
  return outcome === 'committed' ? undefined : `a create is ${outcome}: ${failures[0]?.message}`;
}
