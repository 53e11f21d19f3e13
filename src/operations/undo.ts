import type { Snapshot } from '../catalog/model.ts';
import type { Operation } from '../journal/port.ts';
import { type Refusal, RefusedError, refuse } from '../plan/refusal.ts';
import type { RevertRequest } from '../plan/request.ts';
import { typed } from '../plan/typed.ts';
import { DeleteInput, RevertInput } from '../steps/input.ts';
import { openOn, startOf } from './begun.ts';
import { knownDomain } from './known-domain.ts';
import { recoverDomain } from './recover.ts';
import {
  type Report,
  type RunOptions,
  runUnderLock,
  stateNow,
  withToolstack,
} from './run-request.ts';
import { lockDomain, type Session } from './session.ts';

/** What `undo` asks for. */
export type UndoRequest = Pick<RevertRequest, 'domain' | 'runAfter'>;

/** What came of an undo: it is a revert, and then a delete of the node that it went back to. */
export interface Undone {
  /** The operations that it took, in their order; the last one that was begun comes last. */
  readonly reports: readonly Report[];
  /** The revert that is taken back. */
  readonly undoes: string;
  /** The node that keeps what the disks held since that revert. */
  readonly kept: string | null;
  /** The guest goes on from the memory of its safety checkpoint. */
  readonly memory: boolean;
  /** Snapshots that were made since that revert; they stay. */
  readonly since: readonly string[];
  /** Why the node that it went back to is still in the tree; typed again, undo goes on from here. */
  readonly left: readonly Refusal[];
}

interface LastRevert {
  readonly operation: Operation;
  readonly input: RevertInput;
}

/**
 * Take back the last revert of a domain: to the abandoned heads, or to the checkpoint that was taken for
 * its safety. Loses nothing: what the disks have held since stays as a branch. Throws RefusedError where
 * there is nothing to take back.
 */
export async function undoRevert(
  session: Session,
  request: UndoRequest,
  options: RunOptions = {},
): Promise<Undone> {
  const { domain } = request;
  knownDomain(session, domain);
  const lock = await lockDomain(session, domain, options);
  try {
    const open = openOn(session, domain);
    await recoverDomain(session, domain, options);
    const last = lastRevert(session, domain);
    if (!last) throw nothing(domain, 'no revert of it is in the journal');
    if (last.input.undoes) return await goOn(session, last, options, open);
    return await begin(session, request, last, options);
  } finally {
    lock.release();
  }
}

async function begin(
  session: Session,
  { domain, runAfter }: UndoRequest,
  last: LastRevert,
  options: RunOptions,
): Promise<Undone> {
  const { operation, input } = last;
  const { node, extent } = nodeBefore(session, last);
  const since = madeSince(session, operation);
  const undoes = { operation: operation.id, node: node.operation, extent };
  const first = await runUnderLock(
    session,
    {
      operation: 'revert',
      domain,
      name: node.name,
      // Memory goes on as it was saved; without it, the domain is to be as it was before the revert.
      runAfter: runAfter ?? (node.memory ? undefined : input.runBefore),
      undoes,
    },
    options,
  );
  const begun = { reports: [first], undoes: operation.id, since, left: [] };
  if (first.outcome !== 'committed') return { ...begun, kept: null, memory: false };
  const undo = lastRevert(session, domain);
  if (undo?.operation.id !== first.operation) throw new Error('the revert is not in the journal');
  return dissolve(session, undo, { ...begun, ...cameOf(undo) }, options);
}

/** What the revert of an undo has kept, and brought back. */
const cameOf = ({ input: { abandoned, memory } }: LastRevert): Pick<Undone, 'kept' | 'memory'> => ({
  kept: abandoned?.name ?? null,
  memory: memory !== null,
});

/** An earlier undo was cut short behind its revert, or is done. */
async function goOn(
  session: Session,
  last: LastRevert,
  options: RunOptions,
  open: Operation | undefined,
): Promise<Undone> {
  const { operation, input } = last;
  const { undoes, name, domain } = input;
  if (!undoes) throw new Error(`${operation.id} undoes nothing`);
  const { kept, memory } = cameOf(last);
  const reverted = session.journal.operation(undoes.operation) ?? operation;
  const since = madeSince(session, reverted).filter(other => other !== name);
  const done: Undone = { reports: [], undoes: undoes.operation, kept, memory, since, left: [] };
  const node = session.catalog.snapshot(domain, name);
  if (node?.operation === undoes.node) return dissolve(session, last, done, options);
  const recovered = open && session.journal.operation(open.id);
  if (recovered?.status === 'committed' && dissolves(session, recovered, name)) {
    const domainState = await withToolstack(session, domain, stateNow);
    return { ...done, reports: [reportOfEnded(recovered, name, domainState)] };
  }
  const there = kept !== null && session.catalog.snapshot(domain, kept);
  const hint = there
    ? `${typed('revert', domain, kept)} goes to what the disks held before the undo`
    : `${typed('list', domain)} shows where you can go`;
  throw refuse(
    'undone-already',
    `the last revert of ${domain} was taken back already, by the operation ${operation.id}`,
    hint,
  );
}

/** The revert is taken back; the node that it went to, whose place the heads have taken, goes. */
async function dissolve(
  session: Session,
  { input }: LastRevert,
  done: Undone,
  options: RunOptions,
): Promise<Undone> {
  const { domain, name, undoes } = input;
  const extent = undoes?.extent ?? 'one';
  try {
    const request = { operation: 'delete' as const, domain, name, extent, back: true };
    const report = await runUnderLock(session, request, options);
    return { ...done, reports: [...done.reports, report] };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return { ...done, left: error.refusals };
  }
}

/** The node to go back to, and how much of the tree goes when its place is taken. */
function nodeBefore(
  { catalog }: Session,
  { operation, input }: LastRevert,
): { node: Snapshot; extent: 'one' | 'children' } {
  const { domain, safety, abandoned } = input;
  const checkpoint = safety && catalog.snapshot(domain, safety.name);
  if (checkpoint?.operation === safety?.operation && checkpoint?.state === 'usable') {
    // Below the checkpoint lies only what the disks held between it and the revert.
    const below = catalog.snapshots(domain).filter(({ parent }) => parent === checkpoint.name);
    const alone = below.every(({ operation: by }) => by === operation.id);
    return { node: checkpoint, extent: alone ? 'children' : 'one' };
  }
  const node = abandoned && catalog.snapshot(domain, abandoned.name);
  if (node?.operation === operation.id && node.state === 'usable') return { node, extent: 'one' };
  throw nothing(
    domain,
    `${abandoned?.name ?? 'the branch'}, which kept what its disks held before the last revert, is deleted`,
  );
}

/** The latest revert that was done, among the domain's last thousand operations. */
function lastRevert(session: Session, domain: string): LastRevert | undefined {
  const operation = session.journal
    .operations({ subject: domain, status: ['committed'] })
    .find(({ caseId }) => caseId.startsWith('revert.'));
  if (!operation) return undefined;
  const begun = startOf(session, operation.id);
  if (!begun) throw new Error(`${operation.id} has no first record`);
  return { operation, input: RevertInput.parse(begun.input) };
}

const madeSince = ({ catalog }: Session, { subject, openedAt }: Operation): string[] =>
  catalog
    .snapshots(subject)
    .filter(({ kind, createdAt }) => kind === 'snapshot' && createdAt > openedAt)
    .map(({ name }) => name);

/** Is it the delete that an undo ends with? */
function dissolves(session: Session, { id, caseId }: Operation, name: string): boolean {
  const begun = startOf(session, id);
  if (!begun || !caseId.startsWith('delete.')) return false;
  return DeleteInput.parse(begun.input).name === name;
}

/** What a recovery has just brought to its end. */
function reportOfEnded(
  operation: Operation,
  name: string,
  domainState: Report['domainState'],
): Report {
  const { id, subject, caseId } = operation;
  return {
    operation: id,
    domain: subject,
    name,
    caseId,
    outcome: 'committed',
    failures: [],
    state: 'committed',
    domainState,
  };
}

function nothing(domain: string, why: string): RefusedError {
  const hint = `${typed('list', domain)} shows where you can go, ${typed('log', domain)} what was done`;
  return refuse('nothing-to-undo', `${domain} has no revert to take back: ${why}`, hint);
}
