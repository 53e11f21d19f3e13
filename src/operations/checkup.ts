import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Domain, memoryFile } from '../catalog/model.ts';
import type { Checkup, LastOperation } from '../doctor/checkup.ts';
import { leftStanding } from '../doctor/left-standing.ts';
import { StepError } from '../engine/step.ts';
import { survey } from '../plan/survey.ts';
import { listTrash } from '../storages/trash-list.ts';
import type { DomainView, Toolstack } from '../toolstacks/port.ts';
import { openOn } from './begun.ts';
import { type ImageUse, volumesOf } from './image-use.ts';
import { freeContext, type Session } from './session.ts';
import { strayFiles } from './stray-files.ts';

/** The guest's agent and a monitor in use are waited for so long. */
const ASK_MS = 20_000;

/** Ask the world everything that an examination of a domain needs. Changes nothing. */
export async function checkupOf(
  session: Session,
  toolstack: Toolstack,
  domain: Domain,
  use: ImageUse,
): Promise<Checkup> {
  const { images, catalog, clock, journal, home } = session;
  const context = freeContext(AbortSignal.timeout(ASK_MS));
  let silent: string | null = null;
  const asked: Toolstack = {
    ...toolstack,
    inspect: (...args) =>
      toolstack.inspect(...args).catch(error => {
        if (!(error instanceof StepError)) throw error;
        silent = error.message;
        return SILENT;
      }),
  };
  const sources = { toolstack: asked, images, catalog, home, context };
  const facts = await survey(sources, domain, clock.newId(), clock.now(), { agent: true });
  const volumes = volumesOf(domain, facts.snapshots).map(([{ path }]) => path);
  const memories = facts.snapshots.flatMap(({ memory }) => memoryFile(memory) ?? []);
  const folders = new Set([...facts.images.keys(), ...volumes, ...memories].map(p => dirname(p)));
  const open = openOn(session, domain.name) ?? null;
  const strays = await strayFiles(session, use, folders);
  return {
    facts,
    silent,
    frozen: await frozenOf(asked, facts.view),
    open,
    last: lastOperation(session, domain),
    statusOf: id => journal.operation(id)?.status ?? null,
    strays: strays.filter(({ subject }) => subject === null || subject === domain.name),
    inTrash: await trashed(folders),
    forbidden: await forbidden(domain, [...facts.images.keys()], folders),
    exposed: await exposed(memories),
    owners: owners(session),
  };
}

/** How a domain looks that does not say how it stands: as one in which nothing may be begun. */
const SILENT: DomainView = {
  runState: 'other',
  rawState: 'unknown',
  disks: [],
  strangeDisks: [],
  configured: [],
  pulls: 'any',
  sealed: [],
  jobs: [],
  deviceDigest: '',
  nextDeviceDigest: '',
  memoryBytes: 0,
  captures: {
    background: { works: false, why: 'the domain does not answer' },
    precopy: { works: false, why: 'the domain does not answer' },
    paused: { works: false, why: 'the domain does not answer' },
  },
  agent: { answers: false, why: 'the domain does not answer' },
  version: '',
};

async function frozenOf(toolstack: Toolstack, view: DomainView): Promise<boolean | null> {
  const { answers, why } = view.agent;
  // A frozen guest's agent answers, but allows no further freeze.
  const mayBeFrozen = answers || why.includes('fsfreeze');
  if (view.runState !== 'running' || !mayBeFrozen) return null;
  try {
    return await toolstack.frozen(freeContext(AbortSignal.timeout(ASK_MS)));
  } catch (error) {
    if (error instanceof StepError) return null;
    throw error;
  }
}

/** The domain's last operation on its guest; repairs count, for they may have let it run. */
function lastOperation({ journal }: Session, { name }: Domain): LastOperation | null {
  const [last] = journal.operations({ subject: name, limit: 1 });
  if (!last || last.status === 'open' || last.status === 'needsAttention') return null;
  const records = journal.records(last.id);
  const [first] = records;
  if (first?.fact.type !== 'started') return null;
  const { runBefore, runAfter } = first.fact.input as Pick<LastOperation, 'runAfter'> & {
    runBefore: string;
  };
  const { still, frozen } = leftStanding(records);
  const ran = runBefore === 'running' && runAfter === 'running';
  const { id, caseId } = last;
  return { id, caseId, runAfter, leftStanding: ran && still, leftFrozen: ran && frozen };
}

async function trashed(folders: ReadonlySet<string>): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of folders) {
    const { files } = await listTrash(folder);
    const oldestFirst = [...files].sort((a, b) => a.at - b.at);
    for (const file of oldestFirst) {
      found.set(file.from, join(file.folder, file.operation, file.name));
    }
  }
  return found;
}

/** Heads must be written, bases read, and folders take new files. */
async function forbidden(
  domain: Domain,
  images: readonly string[],
  folders: ReadonlySet<string>,
): Promise<Checkup['forbidden']> {
  const heads = new Set(domain.disks.map(({ head }) => head.path));
  const wanted = [
    ...images.map(path => ({
      path,
      mode: heads.has(path) ? constants.R_OK | constants.W_OK : constants.R_OK,
      why: heads.has(path)
        ? 'cannot be read and written by this user'
        : 'cannot be read by this user',
    })),
    ...[...folders].map(path => ({
      path,
      mode: constants.R_OK | constants.W_OK | constants.X_OK,
      why: 'takes no files of this user',
    })),
  ];
  const found: { path: string; why: string }[] = [];
  for (const { path, mode, why } of wanted) {
    const { code } = await access(path, mode).then(
      () => ({ code: '' }),
      (error: NodeJS.ErrnoException) => ({ code: error.code ?? '' }),
    );
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') found.push({ path, why });
  }
  return found;
}

async function exposed(memories: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of memories) {
    const mode = await stat(path).then(
      ({ mode }) => mode,
      () => 0,
    );
    if ((mode & 0o077) !== 0) found.push(path);
  }
  return found;
}

function owners({ catalog }: Session): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const domain of catalog.domains()) {
    for (const [{ path }, who] of volumesOf(domain, catalog.snapshots(domain.name))) {
      found.set(path, [...(found.get(path) ?? []), who]);
    }
  }
  return found;
}
