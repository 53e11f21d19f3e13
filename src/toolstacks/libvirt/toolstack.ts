import type { DomainDisk } from '../../catalog/model.ts';
import type { Clock } from '../../engine/clock.ts';
import type { Json } from '../../engine/json.ts';
import type { CallContext, DomainDeed, Toolstack } from '../port.ts';
import { beginCapture, prepareCapture } from '../qemu/capture.ts';
import { cancelCapture, finishCapture } from '../qemu/capture-end.ts';
import { asStep } from '../qemu/errors.ts';
import { viewBlocks, viewForChange } from '../qemu/life.ts';
import { detachVolumes, dropTags, quiesce, tagsOf } from '../qemu/overlays.ts';
import { orOff } from '../qemu/run-state.ts';
import { freeze, frozen, thaw } from './agent.ts';
import { snapshotDisks } from './disks.ts';
import type { LibvirtDomainConfig } from './domain-config.ts';
import { inspect, runStateOf } from './inspect.ts';
import { type LibvirtLife, libvirtLife } from './life.ts';
import { cancelMerges, closeMerges, jobs, mergeDown, mergeUp, pivotMerges } from './merges.ts';
import { configureHeads, start, startFrom, stop } from './power.ts';
import { preview } from './preview.ts';
import {
  moveRecords,
  recordOf,
  records,
  takeRecord,
  tellCurrent,
  tellSnapshot,
  untellSnapshots,
} from './records.ts';
import { pause, resume } from './run-state.ts';
import { liveDisks } from './strays.ts';

/** What a toolstack needs beside what it knows of its domain. */
export interface LibvirtOptions {
  /** domsnap's own folder on this host. */
  readonly home: string;
  readonly clock: Clock;
  /** The catalog's heads of the domain: these are the disks that snapshots hold. */
  readonly heads: () => readonly DomainDisk[];
}

/** A domain that libvirt looks after: by its own verbs, and by QEMU's monitor where it has none. */
export function libvirtToolstack(config: LibvirtDomainConfig, options: LibvirtOptions): Toolstack {
  const life = libvirtLife(config, options);
  const within = <T>(context: CallContext, work: () => Promise<T>): Promise<T> => {
    life.monitor.use(context);
    return asStep(async () => {
      await learnAliases(life);
      return await work();
    });
  };
  const whileOn = <T>(context: CallContext, off: T, ask: () => Promise<T>): Promise<T> =>
    within(context, () => orOff(ask, off));
  return {
    inspect: (context, ask) => within(context, () => inspect(life, context, ask?.agent ?? true)),
    runState: context => within(context, async () => (await runStateOf(life, context)).runState),
    liveDisks: context => whileOn(context, [], () => liveDisks(life, context)),
    frozen: context => within(context, () => frozen(life, context)),
    jobs: context => whileOn(context, [], () => jobs(life)),
    liveTags: context =>
      whileOn(context, {}, async () => tagsOf(await viewBlocks(life, context.signal))),
    records: context => within(context, () => records(life)),
    record: (snapshot, context) => within(context, () => recordOf(life, snapshot)),
    perform(deed, context) {
      if (deed.do !== 'snapshotDisks') life.settled = false;
      return within(context, () => perform(life, deed, context));
    },
    preview: deed => preview(life, deed),
    async close() {
      life.sink.close?.();
      life.monitor.close();
    },
  };
}

/** Which device is which in QEMU; as long as the domain is off there is nothing to know. */
async function learnAliases(life: LibvirtLife): Promise<void> {
  if (life.aliases.size > 0) return;
  if ((await life.libvirt.state()) === null) return;
  const { disks } = await life.libvirt.describe('now');
  life.aliases = new Map(
    disks.flatMap(({ device, alias }) => (alias === null ? [] : [[device, alias]])),
  );
}

function perform(life: LibvirtLife, deed: DomainDeed, context: CallContext): Promise<Json> {
  switch (deed.do) {
    // Libvirt opens overlays itself, when it takes the snapshot. What they will stand on is looked at now,
    // and not while the guest stands still.
    case 'attachOverlays':
      return viewForChange(life, context.signal).then(() => ({ attached: 0 }));
    // What it has opened and not used, because it died in between, stays open in QEMU.
    case 'detachVolumes':
      return detachVolumes(life, deed, context);
    case 'freeze':
      return freeze(life, context);
    case 'thaw':
      return thaw(life, context);
    case 'pause':
      return pause(life, context);
    case 'quiesce':
      return quiesce(life, context);
    case 'resume':
      return resume(life, context);
    case 'snapshotDisks':
      return snapshotDisks(life, deed, context);
    case 'dropTags':
      return dropTags(life, deed, context);
    case 'prepareCapture':
      return prepareCapture(life, deed, context);
    case 'beginCapture':
      return beginCapture(life, deed, context);
    case 'finishCapture':
      return finishCapture(life, deed, context);
    case 'cancelCapture':
      return cancelCapture(life, deed, context);
    case 'mergeUp':
      return mergeUp(life, deed, context);
    case 'mergeDown':
      return mergeDown(life, deed, context);
    case 'pivotMerges':
      return pivotMerges(life, deed, context);
    case 'closeMerges':
      return closeMerges(life, deed, context);
    case 'cancelMerges':
      return cancelMerges(life, deed, context);
    case 'configureHeads':
      return configureHeads(life, deed);
    case 'tellSnapshot':
      return tellSnapshot(life, deed);
    case 'takeRecord':
      return takeRecord(life, deed);
    case 'untellSnapshots':
      return untellSnapshots(life, deed);
    case 'moveRecords':
      return moveRecords(life, deed);
    case 'tellCurrent':
      return tellCurrent(life, deed);
    case 'stop':
      return stop(life, context);
    case 'start':
      return start(life, deed, context);
    case 'startFrom':
      return startFrom(life, deed, context);
  }
}
