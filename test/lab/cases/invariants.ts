import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { memoryFile, type Snapshot } from '../../../src/catalog/model.ts';
import { recover } from '../../../src/operations/recover.ts';
import { freeContext } from '../../../src/operations/session.ts';
import { Manifest, TRASH } from '../../../src/storages/trash.ts';
import { imageCheck } from '../../../src/tools/qemu-img.ts';
import type { DomainView, RunState } from '../../../src/toolstacks/port.ts';
import { chainOf, headCounters, heldDisks, type Proof, proofKey, prove } from './contents.ts';
import { behindItsBack, boots, DOMAIN, tools, type World } from './harness.ts';

/** What may differ from the rule, where a test has a reason. */
export interface Promises {
  readonly runState: RunState;
  /** An operation waits for a person: I4 to I7 hold only after it has been recovered. */
  readonly waiting?: boolean;
  /** Read every content anew, however old its files are. */
  readonly fully?: boolean;
}

/** I1 to I8 of `faults.md`, on the real domain and its files, after an operation. */
export async function assertInvariants(world: World, promises: Promises): Promise<void> {
  const { session } = world;
  const domain = session.catalog.domain(DOMAIN)!;
  const toolstack = await session.openToolstack(domain);
  try {
    const view = await toolstack.inspect(freeContext());
    expect(view.runState, 'I1: the run state').toBe(promises.runState);
    if (view.runState === 'running' && view.agent.answers) {
      expect(await toolstack.frozen(freeContext()), 'I2: file systems are frozen').toBe(false);
    }
    await contentsStand(world, promises);
    if (promises.waiting) return;
    await headsAreTrue(world, view);
    if (view.runState === 'off') await headsAreSound(world);
    await world.keeper.agrees(world);
    await filesAreOwned(world);
    await nothingIsOpen(world, view);
  } finally {
    await toolstack.close();
  }
  await recoveringChangesNothing(world);
}

/** A changed content stays changed: it may be found a few operations later, if not after its delete. */
const EVERY = 3;

/** I3, and I8 for what is new: contents are read once they are published, and must never change. */
async function contentsStand(world: World, { fully = false }: Promises): Promise<void> {
  const usable = usableSnapshots(world);
  world.checks += 1;
  const due = fully || world.checks % EVERY === 0;
  for (const snapshot of usable) {
    if (due || !world.proofs.has(proofKey(snapshot))) await contentStands(world, snapshot, fully);
  }
  const keys = new Set(usable.map(proofKey));
  for (const key of world.proofs.keys()) if (!keys.has(key)) world.proofs.delete(key);
}

/** I3 for one snapshot: before it is deleted, for the last time. */
export async function contentStands(
  world: World,
  snapshot: Snapshot,
  fully = false,
): Promise<void> {
  const key = proofKey(snapshot);
  const before = world.proofs.get(key);
  const now = await prove(world, snapshot, before, fully);
  world.proofs.set(key, now);
  if (!before) ofOneInstant(world, snapshot, now);
  const { contents } = before ?? now;
  expect(now.contents, `I3: ${snapshot.name} has another content`).toEqual(contents);
}

/** The snapshots that a user may rely on. */
export const usableSnapshots = ({ session }: World): readonly Snapshot[] =>
  session.catalog.snapshots(DOMAIN).filter(({ state }) => state === 'usable');

/** I8 of the disks: what a tick writes to one after the other is at most one tick apart. */
function ofOneInstant(world: World, { name }: Snapshot, { counters: { vda, vdb } }: Proof): void {
  if (!vda || !vdb) return;
  const apart = `I8: ${name} holds vda at ${vda.n}, vdb at ${vdb.n}`;
  expect(vda.n - vdb.n, apart).toBeOneOf([0, 1]);
  // After a boot the newest count is written once more, to vda first: for that instant the boots differ.
  if (boots(world) > 1) return;
  if (vda.n === vdb.n && vda.n > 0) expect(vda.boot, 'I8: of two boots').toBe(vdb.boot);
}

/** I4: the catalog, the running chain and the images' headers say the same. */
async function headsAreTrue({ session }: World, view: DomainView): Promise<void> {
  for (const { device, head } of session.catalog.domain(DOMAIN)!.disks) {
    const byHeaders = (await chainOf(head)).map(({ path }) => path);
    if (view.runState === 'off') continue;
    const live = view.disks.find(disk => disk.device === device)?.chain ?? [];
    expect(
      live.map(({ path }) => path),
      `I4: the running chain of ${device}`,
    ).toEqual(byHeaders);
    expect(live[0]?.format, `I4: the format of ${device}`).toBe(head.format);
  }
}

/** I3: qemu-img finds no errors in them, and no write is missing. A QEMU that runs writes its counts late. */
async function headsAreSound(world: World): Promise<void> {
  const disks = world.session.catalog.domain(DOMAIN)!.disks;
  for (const { head } of disks.filter(one => one.head.format === 'qcow2')) {
    const found = await imageCheck(head.path, 'qcow2', { shared: false, ...tools });
    expect(found, `I3: ${head.path} is damaged`).toMatchObject({ corruptions: 0 });
  }
  await headCounters(world);
}

/** I5: every file has an owner, and every record its files. */
async function filesAreOwned(world: World): Promise<void> {
  const { lab } = world;
  const owned = await ownedFiles(world);
  const labFiles = new Set<string>([
    ...Object.values(lab.files),
    join(lab.files.folder, 'other.sock'),
  ]);
  const folders = new Set([...owned].map(path => dirname(path)));
  const found = [...folders].flatMap(folder =>
    readdirSync(folder)
      .map(name => join(folder, name))
      .filter(path => !labFiles.has(path) && !path.endsWith(TRASH)),
  );
  const strays = found.filter(path => !owned.has(path));
  expect(found.sort(), `I5: the files beside the images; nobody's: ${strays}`).toEqual(
    [...owned].sort(),
  );
  for (const folder of folders) trashIsListed(join(folder, TRASH));
}

/** Every file that the catalog names, and the bases of these. Throws where one of them is not there. */
export async function ownedFiles({ session }: World): Promise<ReadonlySet<string>> {
  const domain = session.catalog.domain(DOMAIN)!;
  const snapshots = session.catalog.snapshots(DOMAIN);
  const owned = new Set<string>(snapshots.flatMap(({ memory }) => memoryFile(memory) ?? []));
  const images = [
    ...domain.disks.map(({ head }) => head),
    ...snapshots.flatMap(snapshot => heldDisks(snapshot).map(({ image }) => image)),
  ];
  for (const image of images) {
    for (const { path } of await chainOf(image)) owned.add(path);
  }
  return owned;
}

/** Everything in the trash is named in a manifest, and is there. */
function trashIsListed(trash: string): void {
  if (!existsSync(trash)) return;
  for (const operation of readdirSync(trash)) {
    const folder = join(trash, operation);
    const manifest = Manifest.parse(
      JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')),
    );
    const listed = ['manifest.json', ...manifest.files.map(({ name }) => name)];
    expect(readdirSync(folder).sort(), `I5: the trash ${folder}`).toEqual(listed.sort());
  }
}

const nodes = z.array(z.object({ drv: z.string(), file: z.string() }));

/** I6: no job, no open operation; and QEMU has no image open that no chain needs. */
async function nothingIsOpen(world: World, view: DomainView): Promise<void> {
  const { journal } = world.session;
  expect(journal.operations({ status: ['open', 'needsAttention'] }), 'I6: open').toEqual([]);
  expect(view.jobs, 'I6: block jobs').toEqual([]);
  if (view.runState === 'off') return;
  const open = await behindItsBack(world, monitor =>
    monitor.execute(nodes, 'query-named-block-nodes', { flat: true }),
  );
  const files = open.filter(({ drv }) => drv === 'file').map(({ file }) => file);
  const chains = view.disks.flatMap(({ chain }) => chain.map(({ path }) => path));
  expect(files.sort(), 'I6: the images that QEMU has open').toEqual(chains.sort());
}

/** I7, and an audit whose chain of hashes is whole. */
async function recoveringChangesNothing({ session }: World): Promise<void> {
  const { journal, catalog } = session;
  const all = () =>
    JSON.stringify([catalog.domain(DOMAIN), catalog.snapshots(DOMAIN), journal.operations({})]);
  const before = all();
  expect(await recover(session, undefined), 'I7: there was something to recover').toEqual([]);
  expect(all(), 'I7').toBe(before);
  expect(journal.verify().faults).toEqual([]);
}
