import type { CatalogChange, Domain } from '../catalog/model.ts';
import type { Json } from '../engine/json.ts';
import { sharedImages } from '../plan/other-use.ts';
import { misused, type Refusal, RefusedError, refuse } from '../plan/refusal.ts';
import { commonRefusals, type Survey, survey } from '../plan/survey.ts';
import { notForQemu } from '../plan/vhd.ts';
import { openVolumes } from '../plan/volumes.ts';
import type { DomainView } from '../toolstacks/port.ts';
import { openOn } from './begun.ts';
import { pathsIn } from './image-use.ts';
import { recoverDomain } from './recover.ts';
import { withToolstack } from './run-request.ts';
import { freeContext, lockDomain, type Session, type Waiting } from './session.ts';
import { toRefusal } from './to-refusal.ts';

/** What a toolstack's domain file says, as far as the catalog needs it. */
export type NewDomain = Pick<Domain, 'name' | 'toolstack' | 'config' | 'disks'>;

/**
 * Take a domain into the catalog, or take a changed domain file up: its heads and snapshots stay.
 * Refuses disks that are missing, of another format than declared, or in use. `onlyNew`: one that is
 * there by now stays as it is.
 */
export async function addDomain(
  session: Session,
  added: NewDomain,
  { onlyNew = false, ...waiting }: Waiting & { readonly onlyNew?: boolean } = {},
): Promise<{ domain: Domain; updated: boolean }> {
  const lock = await lockDomain(session, added.name, waiting);
  try {
    const before = session.catalog.domain(added.name);
    if (before && onlyNew) return { domain: before, updated: false };
    const domain = before ? updatedDomain(session, before, added) : freshDomain(session, added);
    await refuseBadDisks(session, domain, before);
    record(session, { catalog: 'domain', domain });
    return { domain, updated: before !== undefined };
  } finally {
    lock.release();
  }
}

/** Forget a domain. Its images stay; refuses one that still has snapshots or an open operation. */
export async function removeDomain(session: Session, name: string): Promise<void> {
  const lock = await lockDomain(session, name, {});
  try {
    await withToolstack(session, name, async () => {});
    const snapshots = session.catalog.snapshots(name);
    if (snapshots.length > 0) {
      throw refuse(
        'has-snapshots',
        `${name} has ${snapshots.length} snapshots`,
        `'domsnap delete ${name} SNAPSHOT --children' deletes one and all below it`,
      );
    }
    const open = openOn(session, name);
    if (open) {
      throw refuse(
        'open-operation',
        `${name} has the operation ${open.id}, which has not come to its end`,
        `'domsnap recover ${open.id}' brings it there`,
      );
    }
    record(session, { catalog: 'dropDomain', name });
  } finally {
    lock.release();
  }
}

/** Start a domain on its current heads. Answers how it then stands; one that runs is left alone. */
export async function startDomain(
  session: Session,
  name: string,
  options: Waiting & { paused?: boolean },
): Promise<DomainView> {
  return atRest(session, name, options, async (toolstack, domain) => {
    const context = freeContext(options.signal);
    if ((await toolstack.runState(context)) === 'off') {
      const { images, catalog, clock, home } = session;
      const sources = { toolstack, images, catalog, home, context };
      const facts = await survey(sources, domain, clock.newId(), clock.now(), { agent: false });
      const given = domain.disks.map(({ device, head }) => ({ device, image: head }));
      refuseAny([
        ...commonRefusals(facts),
        ...openVolumes(facts, domain.disks),
        ...sharedImages(facts),
        ...notForQemu(facts, given),
      ]);
      const heads = domain.disks.map(({ device, head }) => ({ device, volume: head }));
      const deed = { do: 'start' as const, heads, paused: options.paused ?? false };
      await toRefusal(() => toolstack.perform(deed, context));
    }
    return toolstack.inspect(context, { agent: false });
  });
}

/** End a domain's process, its disks flushed, as pulling the plug would: the guest is not asked. */
export async function stopDomain(session: Session, name: string, options: Waiting): Promise<void> {
  await atRest(session, name, options, toolstack =>
    toRefusal(() => toolstack.perform({ do: 'stop' }, freeContext(options.signal))),
  );
}

/** How a domain stands now. Changes nothing. */
export async function viewDomain(
  session: Session,
  name: string,
): Promise<{ domain: Domain; view: DomainView }> {
  return withToolstack(session, name, async (toolstack, domain) => ({
    domain,
    view: await toolstack.inspect(freeContext()),
  }));
}

async function atRest<T>(
  session: Session,
  name: string,
  options: Waiting,
  body: Parameters<typeof withToolstack<T>>[2],
): Promise<T> {
  const lock = await lockDomain(session, name, options);
  try {
    // A domain must not be started on heads that an unfinished operation is about to change.
    await recoverDomain(session, name, {});
    return await withToolstack(session, name, body);
  } finally {
    lock.release();
  }
}

function freshDomain({ clock }: Session, added: NewDomain): Domain {
  return { ...added, current: null, addedAt: clock.now() };
}

function updatedDomain({ catalog }: Session, before: Domain, added: NewDomain): Domain {
  const missing = before.disks.filter(
    ({ device }) => !added.disks.some(disk => disk.device === device),
  );
  const snapshots = catalog.snapshots(before.name);
  const held = snapshots.some(({ disks }) =>
    disks.some(({ device }) => missing.some(disk => disk.device === device)),
  );
  if (held) {
    const devices = missing.map(({ device }) => device).join(', ');
    throw misused('disk-gone', `snapshots of ${before.name} hold ${devices}`, 'keep the disk');
  }
  const written = new Set(pathsIn(before.config));
  const disks = added.disks.map(disk => {
    const old = before.disks.find(({ device }) => device === disk.device);
    // What the file named before may be a base by now, or gone: only the catalog knows the head.
    if (!old || old.head.path === disk.head.path || written.has(disk.head.path)) return old ?? disk;
    const held = snapshots.some(one => one.disks.some(({ device }) => device === disk.device));
    if (!held) return disk;
    throw misused(
      'disk-moved',
      `${disk.device} is ${disk.head.path} in this file, and snapshots of ${before.name} stand on ${old.head.path}`,
      `name the file as before; or delete the snapshots first, or give the domain another name`,
    );
  });
  return { ...before, ...added, disks };
}

async function refuseBadDisks(
  session: Session,
  domain: Domain,
  before: Domain | undefined,
): Promise<void> {
  const { images, catalog, clock, home } = session;
  const toolstack = await session.openToolstack(domain);
  try {
    const context = freeContext();
    const sources = { toolstack, images, catalog, home, context };
    const depth = { agent: false, everywhere: true };
    const facts = await toRefusal(() => survey(sources, domain, clock.newId(), clock.now(), depth));
    refuseAny([...commonRefusals(facts), ...sharedImages(facts), ...disguised(facts, before)]);
  } finally {
    await toolstack.close();
  }
}

/**
 * A disk that comes as raw and begins as an image of another format does, or ends as a fixed VHD does: its
 * guest would see that image's header. One that was taken in before may have been written so by its guest, which is its right.
 */
function disguised({ domain, images }: Survey, before: Domain | undefined): Refusal[] {
  return domain.disks.flatMap(({ device, head }) => {
    const mark = images.get(head.path)?.mark;
    const known = before?.disks.some(disk => disk.head.path === head.path) ?? false;
    if (!mark || known) return [];
    const message = `${device}: ${head.path} is declared as raw, and bears the mark of a ${mark} image`;
    const hint = `write 'format: ${mark}'; if the guest itself has written that, put an overlay over the disk and name that`;
    return [{ code: 'other-format', message, hint }];
  });
}

function refuseAny(refusals: readonly Refusal[]): void {
  if (refusals.length > 0) throw new RefusedError(refusals);
}

function record({ journal, catalog }: Session, change: CatalogChange): void {
  journal.note(() => catalog.apply(change as Json));
}
