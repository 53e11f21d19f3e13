import type { Snapshot } from '../catalog/model.ts';
import { RefusedError, refuse } from '../plan/refusal.ts';
import { typed } from '../plan/typed.ts';
import { takeForeign, treeNow } from './foreign.ts';
import { knownDomain } from './known-domain.ts';
import { recoverDomain } from './recover.ts';
import { withToolstack } from './run-request.ts';
import { freeContext, lockDomain, type Session, type Waiting } from './session.ts';
import { toRefusal } from './to-refusal.ts';

/** A snapshot in its toolstack's own words: XML of a domainsnapshot. Throws RefusedError. */
export async function exportRecord(
  session: Session,
  name: string,
  snapshot: string,
): Promise<string> {
  const { snapshots } = await treeNow(session, knownDomain(session, name));
  const found = snapshots.find(one => one.name === snapshot);
  if (!found) {
    const hint = `${typed('list', name)} shows those it has`;
    throw refuse('unknown-snapshot', `${name} has no snapshot ${snapshot}`, hint);
  }
  return withToolstack(session, name, toolstack =>
    toRefusal(() => toolstack.record(found, freeContext())),
  );
}

/** What is no record at all is refused before a domain is added for it. Throws RefusedError. */
export async function refuseNoRecord(record: string): Promise<void> {
  const { readRecord } = await import('../toolstacks/libvirt/snapshot-xml.ts');
  await toRefusal(async () => readRecord(record));
}

/** Have the toolstack take a record up, and its snapshot into the tree. Answers what is new in it. */
export async function importRecord(
  session: Session,
  name: string,
  record: string,
  options: Waiting,
): Promise<readonly Snapshot[]> {
  const lock = await lockDomain(session, name, options);
  try {
    await recoverDomain(session, name, {});
    return await withToolstack(session, name, async (toolstack, known) => {
      const domain = await toRefusal(() => takeForeign(session, toolstack, known));
      const before = new Set(session.catalog.snapshots(name).map(one => one.name));
      const context = freeContext(options.signal);
      await toRefusal(() => toolstack.perform({ do: 'takeRecord', record }, context));
      await toRefusal(() => takeForeign(session, toolstack, domain));
      const made = session.catalog.snapshots(name).filter(one => !before.has(one.name));
      await refuseBroken(session, made);
      return made;
    });
  } finally {
    lock.release();
  }
}

/** A record of images that are not there is worth nothing: it is told so, and stays libvirt's. */
async function refuseBroken({ images }: Session, made: readonly Snapshot[]): Promise<void> {
  const refusals = [];
  for (const { name, disks } of made) {
    for (const { device, mode, image } of disks) {
      if (mode === 'none' || (await images.exists(image.path))) continue;
      const message = `${device} of ${name} is ${image.path}, which is not there`;
      const hint = 'put the image there; the snapshot is in the tree, and of no use without it';
      refusals.push({ code: 'bad-record', message, hint });
    }
  }
  if (refusals.length > 0) throw new RefusedError(refusals);
}
