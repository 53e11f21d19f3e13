import type { DomainDisk } from '../../catalog/model.ts';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext, DomainDeed, Overlay } from '../port.ts';
import * as commands from '../qemu/commands.ts';
import type { BlockView } from '../qemu/graph.ts';
import { viewForChange } from '../qemu/life.ts';
import { headOf, same } from '../qemu/overlays.ts';
import type { LibvirtLife } from './life.ts';
import { liveDisks } from './strays.ts';

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

/**
 * All disks at one instant, while the guest stands still. Internal ones by QEMU's own transaction, since
 * libvirt refuses them without memory; then external ones by libvirt, all or none.
 */
export async function snapshotDisks(
  life: LibvirtLife,
  { external, internal }: Of<'snapshotDisks'>,
  { signal }: CallContext,
): Promise<Json> {
  const view = life.settled && life.seen ? life.seen : await viewForChange(life, signal);
  const untagged = internal.filter(one => !headOf(view, one.device).tags.includes(one.tag));
  const waiting = external.filter(
    one => !same(headOf(view, one.device).volume.path, one.volume.path),
  );
  if (waiting.length > 0 && waiting.length < external.length) {
    const message = `${external.length - waiting.length} of ${external.length} disks show the snapshot already: somebody else changes them`;
    throw new StepError('half-done', message, { retryable: false });
  }
  if (waiting.length === 0 && (await liveDisks(life, { signal })).some(({ strayed }) => strayed)) {
    const message = 'QEMU writes to the overlays, and libvirt has not heard of them';
    throw new StepError('strayed', message, { retryable: false });
  }
  const devices = [...untagged, ...waiting].map(({ device }) => device);
  refuseMovedHeads(view, life.heads(), devices);
  life.seen = undefined;
  if (untagged.length > 0) {
    const nodeOf = (device: string) => headOf(view, device).name;
    await life.monitor.send([commands.snapshot([], untagged, nodeOf)], signal);
  }
  if (waiting.length > 0) {
    await life.libvirt.verb('snapshot-create-as', ...snapshotWords(waiting, life.devices));
  }
  return { taken: untagged.length + waiting.length };
}

/**
 * An overlay is made over the head that the plan has seen: over another one its header would lie, and the
 * next start would leave out what lies between. Throws StepError `head-moved`.
 */
function refuseMovedHeads(
  view: BlockView,
  heads: readonly DomainDisk[],
  devices: readonly string[],
): void {
  for (const { device, head } of heads.filter(one => devices.includes(one.device))) {
    const { path } = headOf(view, device).volume;
    if (same(path, head.path)) continue;
    const message = `${device} writes to ${path} by now, and this snapshot was prepared over ${head.path}: somebody else has moved it`;
    throw new StepError('head-moved', message, { retryable: false });
  }
}

/** `snapshot-create-as DOMAIN …` onto overlays that are there; no description of it is kept by libvirt. */
export function snapshotWords(overlays: readonly Overlay[], devices: readonly string[]): string[] {
  const others = devices.filter(device => !overlays.some(one => one.device === device));
  return [
    '--disk-only',
    '--no-metadata',
    '--reuse-external',
    '--atomic',
    ...overlays.flatMap(({ device, volume: { path, format } }) => [
      '--diskspec',
      `${device},snapshot=external,driver=${format},file=${path.replaceAll(',', ',,')}`,
    ]),
    ...others.flatMap(device => ['--diskspec', `${device},snapshot=no`]),
  ];
}
