import type { DomainDisk } from '../../catalog/model.ts';
import type { Clock } from '../../engine/clock.ts';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext, DomainDeed, Toolstack } from '../port.ts';
import { freeze, frozen, thaw } from './agent.ts';
import { beginCapture, prepareCapture } from './capture.ts';
import { cancelCapture, finishCapture } from './capture-end.ts';
import type { QemuDomainConfig } from './domain-config.ts';
import { asStep } from './errors.ts';
import { liveDisksOf } from './graph.ts';
import { inspect } from './inspect.ts';
import { allJobs, blockJobOf } from './jobs.ts';
import { lifeOf, type QemuLife, viewBlocks } from './life.ts';
import { cancelMerges, closeMerges, mergeDown, mergeUp, pivotMerges } from './merge.ts';
import {
  attachOverlays,
  detachVolumes,
  dropTags,
  quiesce,
  snapshotDisks,
  tagsOf,
} from './overlays.ts';
import { preview } from './preview.ts';
import { orOff, pause, resume, runStateOf } from './run-state.ts';
import { start } from './start.ts';
import { startFrom } from './start-from.ts';
import { stop } from './stop.ts';

/** What a toolstack needs beside the domain file. */
export interface QemuOptions {
  /** domsnap's own folder on this host. */
  readonly home: string;
  readonly clock: Clock;
  /** The catalog's heads of the domain: for a plan, and while the domain is off. */
  readonly heads: () => readonly DomainDisk[];
}

/** A domain that runs as a plain QEMU process, with a monitor socket of domsnap's own. */
export function qemuToolstack(config: QemuDomainConfig, options: QemuOptions): Toolstack {
  const life = lifeOf(config, options);
  const { monitor } = life;
  /** Every call belongs to an effect, and fails as a step does. */
  const within = <T>(context: CallContext, work: () => Promise<T>): Promise<T> => {
    monitor.use(context);
    return asStep(work);
  };
  const whileOn = <T>(context: CallContext, off: T, ask: () => Promise<T>): Promise<T> =>
    within(context, () => orOff(ask, off));
  return {
    inspect: (context, ask) => within(context, () => inspect(life, context, ask?.agent ?? true)),
    runState: context => within(context, async () => (await runStateOf(life, context)).runState),
    liveDisks: context =>
      whileOn(context, [], async () => liveDisksOf(await viewBlocks(life, context.signal))),
    frozen: context => within(context, () => frozen(life, context)),
    jobs: context => whileOn(context, [], async () => (await allJobs(life)).map(blockJobOf)),
    liveTags: context =>
      whileOn(context, {}, async () => tagsOf(await viewBlocks(life, context.signal))),
    records: async () => [],
    record: async () => {
      throw noRecords(life.name);
    },
    perform(deed, context) {
      if (deed.do !== 'snapshotDisks') life.settled = false;
      return within(context, () => perform(life, deed, context));
    },
    preview: deed => preview(life, deed),
    close: async () => monitor.close(),
  };
}

function perform(life: QemuLife, deed: DomainDeed, context: CallContext): Promise<Json> {
  switch (deed.do) {
    case 'attachOverlays':
      return attachOverlays(life, deed, context);
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
    // The catalog alone knows heads and snapshots.
    case 'configureHeads':
    case 'tellSnapshot':
    case 'untellSnapshots':
    case 'moveRecords':
    case 'tellCurrent':
      return Promise.resolve({});
    case 'takeRecord':
      return Promise.reject(noRecords(life.name));
    case 'stop':
      return stop(life, context);
    case 'start':
      return start(life, { ...deed, incoming: false }, context);
    case 'startFrom':
      return startFrom(life, deed, context);
  }
}

const noRecords = (name: string): StepError =>
  new StepError(
    'no-records',
    `${name} is no domain of libvirt's: nobody but domsnap describes it`,
    {
      retryable: false,
    },
  );
