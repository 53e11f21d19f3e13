import type { DomainDisk } from '../../catalog/model.ts';
import { sleep } from '../../engine/clock.ts';
import type { CallContext, DomainView, RunState } from '../port.ts';
import { noCaptures, probeCaptures } from '../qemu/captures.ts';
import { memoryBytes } from '../qemu/memory-size.ts';
import { runStateOf as runStateByMonitor } from '../qemu/run-state.ts';
import { agentView } from './agent.ts';
import { sealedImages } from './confinement.ts';
import { isPersistent } from './description-file.ts';
import { machineOf } from './domain-config.ts';
import type { Description } from './domain-xml.ts';
import type { LibvirtLife } from './life.ts';
import { jobs } from './merges.ts';
import { qemuOf } from './passthrough.ts';
import { liveDisks } from './strays.ts';

/** Everything that a plan asks about the domain. */
export async function inspect(
  life: LibvirtLife,
  context: CallContext,
  askAgent: boolean,
): Promise<DomainView> {
  const { runState, rawState, wayOut } = await runStateOf(life, context);
  const { monitor, libvirt } = life;
  const digest = machineOf(libvirt.config);
  const digests = { deviceDigest: digest, nextDeviceDigest: digest };
  if (runState === 'off' || rawState.startsWith('off')) {
    return {
      runState,
      rawState,
      wayOut,
      disks: [],
      strangeDisks: [],
      configured: await configured(life),
      pulls: 'head',
      sealed: [],
      jobs: [],
      ...digests,
      memoryBytes: 0,
      captures: noCaptures('the domain is off'),
      agent: { answers: false, why: 'the domain is off' },
      version: '',
    };
  }
  const now = await libvirt.describe('now');
  const disks = await liveDisks(life, context);
  return {
    runState,
    rawState,
    disks,
    strangeDisks: strangersOf(now, life.devices),
    configured: await configured(life),
    pulls: 'head',
    sealed: await sealedImages(now, disks),
    jobs: await jobs(life),
    ...digests,
    memoryBytes: await memoryBytes(life, context.signal),
    captures: await probeCaptures(life, context.signal),
    agent: await agentOf(life, context, now, runState, askAgent),
    version: monitor.version(),
  };
}

/** How the domain stands: by QEMU's word where it runs, and by libvirt's where it does not. */
export async function runStateOf(
  life: LibvirtLife,
  context: CallContext,
): Promise<Pick<DomainView, 'runState' | 'rawState' | 'wayOut'>> {
  const { libvirt, monitor } = life;
  const waiting = monitor.process() === null ? await waitsForNobody(life, context) : null;
  if (waiting !== null) {
    const rawState = `off, while libvirt takes it for ${waiting}: its daemon was ended while it started it`;
    const wayOut = `stop libvirt's daemon, remove /run/libvirt/qemu/${life.name}.xml, and start the daemon again`;
    return { runState: 'other', rawState, wayOut };
  }
  const live = await runStateByMonitor(life, context);
  if (live.runState !== 'off') return live;
  const left = qemuOf(libvirt.config.uuid);
  if (left) {
    const rawState = `off by libvirt's word, while its QEMU, process ${left.pid}, runs`;
    const wayOut = `'kill ${left.pid}' ends it, where nobody needs what it holds; libvirt starts it anew then`;
    return { runState: 'other', rawState, wayOut };
  }
  const known = await libvirt.state();
  if (known !== null && /^Managed save: +yes$/m.test(await libvirt.ask('dominfo'))) {
    return { runState: 'other', rawState: 'off, with its memory saved by virsh managedsave' };
  }
  return { runState: 'off', rawState: 'off' };
}

const NOTICED_MS = 3_000;
const AGAIN_MS = 100;

/** virsh(1), domstate --reason: it is to be started, and has no process yet. */
const STARTING = 'paused (starting up)';

/**
 * A libvirtd that is killed between writing down that it starts a domain and starting it comes back waiting
 * for that QEMU for good, the domain's lock in its hand: each call that needs it takes 30 s to fail, and
 * neither `destroy` nor another restart ends it (measured on 9.0). What it takes the domain for then; null
 * where all is well, as it is soon where it really starts one.
 */
async function waitsForNobody(
  { libvirt, clock, monitor }: LibvirtLife,
  { signal }: CallContext,
): Promise<string | null> {
  for (let waitedMs = 0; ; waitedMs += AGAIN_MS) {
    const known = await libvirt.state('--reason');
    if (known !== STARTING || monitor.process() !== null) return null;
    if (waitedMs >= NOTICED_MS || signal.aborted) return known;
    await sleep(clock, AGAIN_MS, signal);
  }
}

/** What the next start writes to; nothing where libvirt keeps no description of the domain for it. */
async function configured(life: LibvirtLife): Promise<DomainDisk[]> {
  if (!(await isPersistent(life))) return [];
  const { disks } = await life.libvirt.describe('next');
  return disks
    .filter(({ device }) => life.devices.includes(device))
    .map(({ device, volume }) => ({ device, head: volume }));
}

const strangersOf = ({ disks, others }: Description, devices: readonly string[]): string[] =>
  [...disks, ...others].map(({ device }) => device).filter(device => !devices.includes(device));

async function agentOf(
  life: LibvirtLife,
  context: CallContext,
  { hasAgent }: Description,
  runState: RunState,
  asked: boolean,
): Promise<DomainView['agent']> {
  if (!hasAgent) return { answers: false, why: 'the domain has no channel for an agent' };
  if (runState !== 'running') return { answers: false, why: 'the guest stands still' };
  if (!asked) return { answers: false, why: 'it was not asked' };
  return agentView(life, context);
}
