import { dirname } from 'node:path';
import type { TrashNeeds, TrashVerdict } from '../plan/gc.ts';
import type { Plan } from '../plan/plan.ts';
import { listTrash, type TrashListing } from '../storages/trash-list.ts';
import { fileExists } from '../tools/file-facts.ts';
import { startOf } from './begun.ts';
import { TRASH_SUBJECT, withSubject } from './host-subject.ts';
import { type ImageUse, imageUse, pathsIn } from './image-use.ts';
import { recoverDomain } from './recover.ts';
import { type Report, type RunOptions, runPlan } from './run-request.ts';
import { lockDomain, type Session } from './session.ts';
import { upkeepPlan } from './upkeep-plan.ts';

/** What `gc` is to do. */
export interface GcRequest {
  readonly olderThanMs: number;
  readonly bytesMax: number | undefined;
  /** Only say what would go. */
  readonly dryRun: boolean;
}

/** What the trash holds, and what became of it. */
export interface Collected {
  readonly verdicts: readonly TrashVerdict[];
  /** What nobody should touch, and why. */
  readonly skipped: TrashListing['skipped'];
  readonly folders: readonly string[];
  /** The operation that purged; none where nothing was due, or only asked for. */
  readonly report: Report | null;
}

/** Purge the trash of all domains of this host by age and size, never what anything still needs. */
export async function collectTrash(
  session: Session,
  request: GcRequest,
  options: RunOptions = {},
): Promise<Collected> {
  if (request.dryRun) return { ...(await judgeTrash(session, request)), report: null };
  const lock = await lockDomain(session, TRASH_SUBJECT, options);
  try {
    await recoverDomain(session, TRASH_SUBJECT, options);
    const judged = await judgeTrash(session, request);
    const due = judged.verdicts.filter(({ verdict }) => verdict === 'purge');
    if (due.length === 0) return { ...judged, report: null };
    const report = await withSubject(session, TRASH_SUBJECT, toolstack =>
      runPlan(session, toolstack, planOf(session, due), options),
    );
    return { ...judged, report };
  } finally {
    lock.release();
  }
}

async function judgeTrash(
  session: Session,
  { olderThanMs, bytesMax }: GcRequest,
): Promise<Omit<Collected, 'report'>> {
  const { chooseTrash } = await import('../plan/gc.ts');
  const use = await imageUse(session);
  const folders = [...new Set([...use.folders, ...oldFolders(session)])].sort();
  const listings = await Promise.all(folders.map(folder => listTrash(folder)));
  const files = listings.flatMap(listing => listing.files);
  const needs = await needsOf(session, use, files);
  const nowMs = session.clock.now();
  return {
    verdicts: chooseTrash(files, needs, { nowMs, olderThanMs, bytesMax }),
    skipped: listings.flatMap(({ skipped }) => skipped),
    folders,
  };
}

async function needsOf(
  { journal }: Session,
  { named, held, silent }: ImageUse,
  files: TrashListing['files'],
): Promise<TrashNeeds> {
  const open = journal.operations({ status: ['open', 'needsAttention'] });
  const domains = new Map<string, string>();
  const there = new Set<string>();
  for (const { operation, from } of files) {
    const subject = journal.operation(operation)?.subject;
    if (subject !== undefined) domains.set(operation, subject);
    if (await fileExists(from)) there.add(from);
  }
  return { open: new Set(open.map(({ id }) => id)), domains, named, held, silent, there };
}

/** Operations that are looked through for folders of domains that are no longer known. */
const OPERATIONS_MAX = 5_000;

/** Folders in which operations of domains have worked that were forgotten since. */
function oldFolders(session: Session): Set<string> {
  const { journal, catalog } = session;
  const folders = new Set<string>();
  for (const { id, subject } of journal.operations({ limit: OPERATIONS_MAX })) {
    if (subject === TRASH_SUBJECT || catalog.domain(subject)) continue;
    for (const path of pathsIn(startOf(session, id)?.input)) folders.add(dirname(path));
  }
  return folders;
}

function planOf(session: Session, due: readonly TrashVerdict[]): Plan {
  return upkeepPlan(session, 'gc.trash', {
    operation: 'gc',
    domain: TRASH_SUBJECT,
    name: 'purge',
    at: session.clock.now(),
    runBefore: 'off',
    runAfter: 'off',
    files: due.map(({ file: { folder, operation, name, bytes } }) => ({
      folder,
      operation,
      name,
      bytes,
    })),
  });
}
