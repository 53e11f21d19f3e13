import { statSync } from 'node:fs';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext, DomainDeed, Overlay } from '../port.ts';
import * as commands from './commands.ts';
import { type BlockView, findDevice, type ImageNode, queryBlock } from './graph.ts';
import { isBlockDevice, type Life, queryStatus, viewBlocks, viewForChange } from './life.ts';

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

/** Open overlays, unused. Those that are open already stay as they are. */
export async function attachOverlays(
  life: Life,
  { overlays }: Of<'attachOverlays'>,
  { signal }: CallContext,
): Promise<Json> {
  const { images } = await viewForChange(life, signal);
  const missing = overlays.filter(overlay => !attached(images, overlay));
  await life.monitor.send(
    missing.map(overlay => commands.attach(overlay, isBlockDevice)),
    signal,
  );
  // For the deed that follows while the guest stands still.
  if (missing.length > 0) await viewBlocks(life, signal);
  return { attached: missing.length };
}

/** Close volumes, those that are open. Throws `in-use` for one that something stands on or uses. */
export async function detachVolumes(
  life: Life,
  { volumes }: Of<'detachVolumes'>,
  { signal }: CallContext,
): Promise<Json> {
  for (let detached = 0; ; detached += 1) {
    const { images } = await viewBlocks(life, signal);
    const open = images.filter(({ volume }) => volumes.some(({ path }) => same(path, volume.path)));
    const [inUse] = open.filter(({ used }) => used);
    if (inUse) {
      const message = `${inUse.volume.path} is in use by the domain and is not closed`;
      throw new StepError('in-use', message, { retryable: false });
    }
    if (open.length === 0) return { detached };
    // Below an image there may be a node of its own for its file.
    await life.monitor.send(
      open.map(({ name }) => commands.detach(name)),
      signal,
    );
  }
}

/**
 * See that the guest stands still: its processors' stop has drained and flushed every disk (qemu:
 * vm_stop). It waits for this: only what may have changed since the images were seen last is asked for,
 * and who writes to the same nodes as then has the same images.
 */
export async function quiesce(life: Life, { signal }: CallContext): Promise<Json> {
  const { monitor, devices, idOf, seen } = life;
  const [{ status, running }, blocks] = await monitor.ask([queryStatus, queryBlock], signal);
  if (running) {
    throw new StepError('not-paused', `the guest should stand still, but is ${status}`);
  }
  life.settled =
    status !== 'postmigrate' &&
    devices.every(device => {
      const head = seen?.chains[device]?.[0]?.name;
      return (
        head !== undefined && head === findDevice(blocks, idOf(device))?.inserted?.['node-name']
      );
    });
  return { status };
}

/** All disks at one instant, or none: one transaction, while the guest stands still. */
export async function snapshotDisks(
  life: Life,
  { external, internal }: Of<'snapshotDisks'>,
  { signal }: CallContext,
): Promise<Json> {
  const view = life.settled && life.seen ? life.seen : await viewForChange(life, signal);
  const taken =
    external.filter(one => same(headOf(view, one.device).volume.path, one.volume.path)).length +
    internal.filter(one => headOf(view, one.device).tags.includes(one.tag)).length;
  const all = external.length + internal.length;
  if (taken === all) return { taken: 0 };
  if (taken > 0) {
    const message = `${taken} of ${all} disks show the snapshot already: somebody else changes them`;
    throw new StepError('half-done', message, { retryable: false });
  }
  for (const overlay of external) {
    if (!attached(view.images, overlay)) {
      const message = `${overlay.volume.path} is not open in the domain`;
      throw new StepError('not-attached', message, { retryable: false });
    }
  }
  const nodeOf = (device: string) => headOf(view, device).name;
  life.seen = undefined;
  await life.monitor.send([commands.snapshot(external, internal, nodeOf)], signal);
  return { taken: all };
}

/** Drop internal snapshots from the heads; those that are not there are dropped already. */
export async function dropTags(
  life: Life,
  { internal }: Of<'dropTags'>,
  { signal }: CallContext,
): Promise<Json> {
  const view = await viewForChange(life, signal);
  const present = internal.filter(({ device, tag }) => headOf(view, device).tags.includes(tag));
  for (const { device, tag } of present) {
    await life.monitor.send([commands.dropTag(headOf(view, device).name, tag)], signal);
  }
  return { dropped: present.length };
}

/** The tags in each head. */
export function tagsOf({ chains }: BlockView): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(chains).map(([device, chain]) => [device, chain[0]?.tags ?? []]),
  );
}

/**
 * Close the images that nothing uses any more, and that were opened for a disk: QEMU keeps what it was
 * told to open, and with it the lock. Nothing of another's is touched.
 */
export async function closeStale(life: Life, seen?: BlockView): Promise<void> {
  const { monitor, ownsNode } = life;
  for (let view = seen; ; view = undefined) {
    const { images } = view ?? (await viewBlocks(life));
    const stale = images.filter(({ name, used }) => !used && ownsNode(name));
    if (stale.length === 0) return;
    await monitor.send(stale.map(({ name }) => commands.detach(name)));
    // What a stale one stood on may be stale as well.
  }
}

/** The image that a device writes to. Throws StepError `no-disk`. */
export function headOf({ chains }: BlockView, device: string): ImageNode {
  const head = chains[device]?.[0];
  if (head) return head;
  throw new StepError('no-disk', `the domain has no disk ${device}`, { retryable: false });
}

/** Whether two paths name the same image, whatever way a header or a person wrote them. */
export function same(a: string, b: string): boolean {
  if (a === b) return true;
  const [first, second] = [a, b].map(path => statSync(path, { throwIfNoEntry: false }));
  return !!first && first.dev === second?.dev && first.ino === second.ino;
}

const attached = (images: readonly ImageNode[], overlay: Overlay): boolean =>
  images.some(({ volume }) => same(volume.path, overlay.volume.path));
