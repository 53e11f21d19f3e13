import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json } from '../engine/json.ts';
import { labUp, refuseSecondLab } from '../lab/guest.ts';
import { labDown, labStatus } from '../lab/lab-state.ts';
import type { LabTools } from '../lab/lab-tools.ts';
import { addDomain, startDomain, stopDomain } from '../operations/domains.ts';
import { lockDomain, type Session } from '../operations/session.ts';
import { parseDomainFile } from '../toolstacks/qemu/domain-file.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { columns } from './format.ts';
import type { Invocation } from './invocation.ts';
import { withSession } from './open-home.ts';
import { json, out, say } from './output.ts';

const NAME = 'lab';
const tools: LabTools = { log() {} };
const folderOf = ({ home }: Invocation): string => join(home, 'lab');

/** `domsnap lab up`: make the throw-away guest, take it in as the domain `lab`, and start it. */
export function labUpCommand(call: Invocation): Promise<Exit> {
  return withSession(call, async session => {
    const folder = folderOf(call);
    // Before anything is said of the making.
    refuseSecondLab(folder);
    if (!call.json) say('making the lab guest; the first time it downloads 33 MB of packages');
    const { files } = await labUp({ folder, name: NAME }, tools);
    const config = parseDomainFile(await readFile(files.domainFile, 'utf8'), folder);
    const disks = config.disks.map(({ device, path, format }) => ({
      device,
      head: { path, format },
    }));
    await addDomain(session, { name: NAME, toolstack: 'qemu', config, disks });
    const { runState } = await startDomain(session, NAME, {});
    if (call.json) json({ ok: true, domain: NAME, folder, state: runState });
    else {
      out(
        [
          `the domain ${NAME} is up, in ${folder}; it boots in a few seconds. Now try:`,
          `  domsnap lab status           what the guest counts, in memory and on each disk`,
          `  domsnap create ${NAME} first      a checkpoint`,
          `  domsnap revert ${NAME} first      back to it, memory and all`,
          `  domsnap lab down             away with it`,
        ].join('\n'),
      );
    }
    return EXIT.done;
  });
}

/** `domsnap lab status`. */
export function labStatusCommand(call: Invocation): Promise<Exit> {
  return withSession(call, async session => {
    const status = await labStatus(folderOf(call), tools);
    const known = session.catalog.domain(NAME) !== undefined;
    if (call.json) json({ ok: true, ...status, known });
    else {
      const counters = Object.entries(status.counters ?? {}).map(([where, count]) => [
        `  ${where}`,
        count === null ? 'no answer' : String(count),
      ]);
      out([`the lab in ${status.folder} is ${status.state}`, ...columns(counters)].join('\n'));
    }
    return EXIT.done;
  });
}

/** `domsnap lab down`: end the guest and remove all of it, its snapshots too. */
export function labDownCommand(call: Invocation): Promise<Exit> {
  return withSession(call, async session => {
    // Brings an operation that was left open to its end, too.
    if (session.catalog.domain(NAME)) await stopDomain(session, NAME, {});
    await labDown(folderOf(call), tools);
    await forgetLab(session);
    if (call.json) json({ ok: true, domain: NAME });
    else out(`the lab is gone, and all its snapshots`);
    return EXIT.done;
  });
}

/** Its images are gone with its folder: the catalog follows. */
async function forgetLab(session: Session): Promise<void> {
  const lock = await lockDomain(session, NAME, {});
  try {
    const { journal, catalog } = session;
    journal.note(() => {
      for (const { name } of catalog.snapshots(NAME)) {
        catalog.apply({ catalog: 'dropSnapshot', domain: NAME, name } as Json);
      }
      if (catalog.domain(NAME)) catalog.apply({ catalog: 'dropDomain', name: NAME } as Json);
    });
  } finally {
    lock.release();
  }
}
