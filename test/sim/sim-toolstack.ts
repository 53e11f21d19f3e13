import type { Volume } from '../../src/catalog/model.ts';
import type { Json } from '../../src/engine/json.ts';
import { StepError } from '../../src/engine/step.ts';
import type {
  CallContext,
  DomainDeed,
  DomainView,
  LiveDisk,
  Overlay,
  Tagged,
  Toolstack,
} from '../../src/toolstacks/port.ts';
import { beginCapture, cancelCapture, finishCapture } from './deeds-of-captures.ts';
import { cancelMerges, closeMerges, mergeLive, pivotMerges } from './deeds-of-merges.ts';
import type { GuestMemory } from './guest.ts';
import type { Life } from './life.ts';
import type { Process } from './world.ts';

/** The simulated domain's toolstack, as one engine's life sees it. */
export function simToolstack(life: Life): Toolstack {
  const { world } = life;
  const asked = async <T>(what: string, context: CallContext, answer: () => T): Promise<T> => {
    await life.moment(`ask ${what}`, context);
    return answer();
  };
  return {
    inspect: context => asked('inspect', context, () => view(life)),
    runState: context => asked('runState', context, () => world.process?.runState ?? 'off'),
    liveDisks: context => asked('liveDisks', context, () => liveDisks(life)),
    frozen: context => asked('frozen', context, () => running(life).frozen > 0),
    jobs: context => asked('jobs', context, () => jobsOf(world.process)),
    liveTags: context =>
      asked('liveTags', context, () =>
        Object.fromEntries(
          [...(world.process?.heads ?? [])].map(([device, head]) => [
            device,
            [...world.store.image(head).tags.keys()],
          ]),
        ),
      ),
    records: async () => [],
    record: async () => '',
    perform: (deed, context) => perform(life, deed, context),
    preview: deed => [{ tool: 'qmp', command: { execute: deed.do } }],
    close: async () => {},
  };
}

/** The domain's process. Throws StepError `off` where it is gone. */
export function running({ world }: Life): Process {
  if (!world.process) throw new StepError('off', 'the domain is off');
  return world.process;
}

const jobsOf = (process: Process | null) =>
  [...(process?.jobs.values() ?? [])].map(({ id, kind, status, error }) => ({
    id,
    kind,
    status,
    error,
  }));

function liveDisks({ world }: Life): LiveDisk[] {
  return [...(world.process?.heads ?? [])].map(([device, head]) => ({
    device,
    chain: world.store.chain(head),
  }));
}

function view(life: Life): DomainView {
  const { world } = life;
  const on = world.process !== null;
  const works = (can: boolean) => ({ works: on && can, why: on && can ? '' : 'not in this world' });
  return {
    runState: world.process?.runState ?? 'off',
    rawState: world.process?.runState ?? 'off',
    disks: liveDisks(life),
    strangeDisks: [],
    configured: [...world.configured].map(([device, head]) => ({ device, head })),
    pulls: 'any',
    sealed: [],
    jobs: jobsOf(world.process),
    deviceDigest: world.deviceDigest,
    nextDeviceDigest: world.deviceDigest,
    memoryBytes: 1_000,
    captures: {
      background: works(world.captures.background),
      precopy: works(world.captures.precopy),
      paused: works(world.captures.paused),
    },
    agent: { answers: on && world.agent, why: on && world.agent ? '' : 'no agent' },
    version: 'sim 1',
  };
}

async function perform(life: Life, deed: DomainDeed, context: CallContext): Promise<Json> {
  const { world } = life;
  // Whether an agent listens shows before anything is sent.
  if (deed.do === 'freeze' || deed.do === 'thaw') mustListen(life);
  await life.moment(deed.do, context);
  switch (deed.do) {
    case 'attachOverlays':
      for (const { volume } of deed.overlays) {
        world.store.image(volume);
        if (world.opened(volume.path)) continue;
        running(life).attached.set(volume.path, volume);
        await life.moment(deed.do, context);
      }
      return {};
    case 'detachVolumes':
      return await detach(life, deed.volumes, context);
    case 'freeze':
      await agent(life, deed.do, context);
      running(life).frozen = world.filesystems;
      await life.moment(deed.do, context);
      return { filesystems: world.filesystems };
    case 'thaw': {
      await agent(life, deed.do, context);
      const process = running(life);
      const filesystems = process.frozen;
      process.frozen = 0;
      await life.moment(deed.do, context);
      return { filesystems };
    }
    case 'pause':
      running(life).runState = 'paused';
      await life.moment(deed.do, context);
      return {};
    case 'quiesce':
      if (running(life).runState !== 'paused') {
        throw new StepError('not-paused', 'the guest should stand still, but runs');
      }
      return {};
    case 'resume':
      if (!world.process) return { status: 'off' };
      running(life).runState = 'running';
      await life.moment(deed.do, context);
      return { status: 'running' };
    case 'snapshotDisks':
      return await snapshotDisks(life, deed.external, deed.internal, context);
    case 'dropTags':
      for (const { device, tag } of deed.internal) {
        world.store.image(headOf(running(life), device)).tags.delete(tag);
        await life.moment(deed.do, context);
      }
      return {};
    case 'prepareCapture':
      running(life);
      return {};
    case 'beginCapture':
      return await beginCapture(life, deed, context);
    case 'finishCapture':
      return await finishCapture(life, deed, context);
    case 'cancelCapture':
      return await cancelCapture(life, context);
    case 'mergeUp':
    case 'mergeDown':
      return await mergeLive(life, deed, context);
    case 'pivotMerges':
      return await pivotMerges(life, deed.merges, context);
    case 'closeMerges':
      return await closeMerges(life, deed.merges, context);
    case 'cancelMerges':
      return await cancelMerges(life, deed.jobs, context);
    case 'configureHeads':
      world.configure(deed.heads);
      return {};
    case 'tellSnapshot':
    case 'takeRecord':
    case 'untellSnapshots':
    case 'moveRecords':
    case 'tellCurrent':
      return {};
    case 'stop':
      world.process = null;
      await life.moment(deed.do, context);
      return {};
    case 'start':
      await start(life, deed.heads, null, context);
      if (!deed.paused) running(life).runState = 'running';
      await life.moment(deed.do, context);
      return {};
    case 'startFrom':
      return await startFrom(life, deed, context);
  }
}

/** The head of a device in the running domain. */
export function headOf({ heads }: Process, device: string): Volume {
  const head = heads.get(device);
  if (!head) throw new StepError('no-device', `the domain has no disk ${device}`);
  return head;
}

function mustListen({ world }: Life): void {
  if (!world.agent) throw new StepError('no-agent', 'no agent listens', { retryable: false });
}

/** An agent answers while its guest runs; one that stands still keeps its caller waiting. */
async function agent(life: Life, what: string, context: CallContext): Promise<void> {
  await life.until(what, context, () => running(life).runState === 'running');
}

async function detach(life: Life, volumes: readonly Volume[], context: CallContext): Promise<Json> {
  for (const { path } of volumes) {
    const process = running(life);
    process.attached.delete(path);
    if (life.world.opened(path)) throw new StepError('in-use', `${path} is part of a disk`);
    await life.moment('detachVolumes', context);
  }
  return {};
}

/** One transaction: all disks or none, at one instant. */
async function snapshotDisks(
  life: Life,
  external: readonly Overlay[],
  internal: readonly Tagged[],
  context: CallContext,
): Promise<Json> {
  const { store } = life.world;
  const process = running(life);
  const moved = external.filter(
    ({ device, volume }) => headOf(process, device).path === volume.path,
  );
  const tagged = internal.filter(({ device, tag }) =>
    store.image(headOf(process, device)).tags.has(tag),
  );
  const done = moved.length + tagged.length;
  if (done === external.length + internal.length) return {};
  if (done > 0) throw new StepError('unknown', 'some disks were snapshotted, others not');
  for (const { volume } of external) {
    if (!process.attached.has(volume.path)) {
      throw new StepError('not-attached', `${volume.path} is not open`, { retryable: false });
    }
  }
  for (const { device, tag } of internal) {
    const image = store.image(headOf(process, device));
    if (image.format !== 'qcow2') {
      throw new StepError('unsupported', `${device} is no qcow2`, { retryable: false });
    }
    image.tags.set(tag, new Map(image.blocks));
  }
  for (const { device, volume } of external) {
    process.attached.delete(volume.path);
    process.heads.set(device, volume);
  }
  life.world.configure(external);
  life.world.takenFrozen = process.frozen > 0;
  await life.moment('snapshotDisks', context);
  return {};
}

/** A process that is there already must be one on these very heads. */
async function start(
  life: Life,
  heads: readonly Overlay[],
  memory: GuestMemory | null,
  context: CallContext,
): Promise<void> {
  const { process, store } = life.world;
  if (process) {
    const same = heads.every(
      ({ device, volume }) => process.heads.get(device)?.path === volume.path,
    );
    if (same) return;
    throw new StepError('running', 'the domain runs on other heads', { retryable: false });
  }
  for (const { volume } of heads) {
    store.chain(volume);
    if (life.world.busy(volume.path)) throw new StepError('in-use', `${volume.path} is in use`);
  }
  life.world.configure(heads);
  await life.moment('configure', context);
  life.world.boot(heads, memory);
  await life.moment('start', context);
}

async function startFrom(
  life: Life,
  { heads, memory }: DomainDeed & { do: 'startFrom' },
  context: CallContext,
): Promise<Json> {
  const { world } = life;
  if (memory.deviceDigest !== world.deviceDigest) {
    throw new StepError('devices', 'the memory is of another machine', { retryable: false });
  }
  const file = world.store.files.get(memory.path);
  if (file?.kind !== 'file') throw new StepError('missing', `${memory.path} is not there`);
  await start(life, heads, JSON.parse(file.text) as GuestMemory, context);
  return {};
}
