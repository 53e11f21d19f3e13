import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { thisProcess } from '../engine/who.ts';
import type { Lab } from '../lab/guest.ts';
import { addDomain, startDomain, stopDomain } from '../operations/domains.ts';
import { openSession } from '../operations/open-session.ts';
import { runRequest } from '../operations/run-request.ts';
import type { Session } from '../operations/session.ts';
import { processStartTicks, terminate } from '../tools/process.ts';
import { parseDomainFile } from '../toolstacks/qemu/domain-file.ts';
import { Notes } from '../toolstacks/qemu/notes.ts';
import { processOfPidFile } from '../toolstacks/qemu/process.ts';
import { benchSocket, DOMAIN, forgetConsole, makeLab, settle, untilBooted } from './lab-guest.ts';
import { log } from './say.ts';
import { type Stillness, watchStillness } from './stillness.ts';

/** A lab guest that domsnap looks after. */
export interface Guest {
  readonly lab: Lab;
  readonly memoryMb: number;
  readonly session: Session;
  readonly notes: Notes;
}

/** Make a guest and add it as a domain; it stays off. */
export async function guestMade(folder: string, memoryMb: number): Promise<Guest> {
  const lab = await makeLab(join(folder, 'lab'), memoryMb);
  const home = join(folder, 'home');
  const session = openSession({ home, who: thisProcess() });
  const { domainFile } = lab.files;
  const config = parseDomainFile(readFileSync(domainFile, 'utf8'), dirname(domainFile));
  const disks = config.disks.map(({ device, path, format }) => ({
    device,
    head: { path, format },
  }));
  await addDomain(session, { name: DOMAIN, toolstack: 'qemu', config, disks });
  return { lab, memoryMb, session, notes: new Notes(home, DOMAIN) };
}

/** Start it; `filled`: with most of its memory in use. */
export async function guestStarted(
  { lab, session, memoryMb }: Guest,
  filled: boolean,
): Promise<void> {
  await forgetConsole(lab);
  await startDomain(session, DOMAIN, {});
  await (filled ? settle(lab, memoryMb) : untilBooted(lab));
}

/** Watch the guest. Each start of its process needs a new watch. */
export const watchGuest = ({ lab }: Guest): Promise<Stillness> => watchStillness(benchSocket(lab));

/** Turn it off. */
export const guestStopped = ({ session }: Guest): Promise<void> => stopDomain(session, DOMAIN, {});

/** Pretend that memory cannot be write-protected in this QEMU process, or that it can. */
export function banBackground({ notes }: Guest, banned: boolean): void {
  const process = qemuOf(notes);
  const why = 'the bench measures the other way';
  notes.write({ burnt: banned && process ? { process, why } : undefined });
}

/** Delete every snapshot that domsnap knows of, newest first, and what lies in the trash. */
export async function swept({ session, lab }: Guest): Promise<void> {
  for (;;) {
    const name = session.catalog.snapshots(DOMAIN).at(-1)?.name;
    if (name === undefined) break;
    const report = await runRequest(session, { operation: 'delete', domain: DOMAIN, name });
    if (report.outcome !== 'committed') {
      throw new Error(`${name} could not be deleted: ${JSON.stringify(report.failures)}`);
    }
  }
  await trashEmptied(lab);
}

/** What domsnap keeps in the trash would fill the disk in a long bench. */
export async function trashEmptied({ files }: Lab): Promise<void> {
  await rm(join(files.folder, '.domsnap-trash'), { recursive: true, force: true });
}

/** End the guest's process, whatever state it is in, and close the session. */
export async function guestGone({ session, notes }: Guest): Promise<void> {
  const process = qemuOf(notes);
  session.close();
  if (!process) return;
  const { pid, startTicks } = process;
  if (processStartTicks(pid) === startTicks) {
    await terminate(pid, startTicks, { graceMs: 5_000, log });
  }
}

const qemuOf = (notes: Notes) => processOfPidFile(notes.path('pid'));
