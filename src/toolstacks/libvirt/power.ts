import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext, DomainDeed, Overlay } from '../port.ts';
import { queryStatus, viewBlocks } from '../qemu/life.ts';
import { same } from '../qemu/overlays.ts';
import { until } from '../qemu/until.ts';
import { isPersistent, withFile } from './description-file.ts';
import { readDescription, withHeads } from './domain-xml.ts';
import type { LibvirtLife } from './life.ts';
import { qemuOf } from './passthrough.ts';

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

const GONE_MS = 60_000;

/** End QEMU, its disks flushed; over when its process is gone, and with it every image lock. */
export async function stop(life: LibvirtLife, { signal }: CallContext): Promise<Json> {
  const { libvirt, monitor } = life;
  if (!(await monitor.reachable(signal))) return { was: 'off' };
  const process = monitor.process();
  // A transient domain is forgotten with its process: what it is started from again is kept.
  life.notes.write({ description: await libvirt.xml('next') });
  await libvirt.verb('destroy', '--graceful').catch(unlessOff);
  const gone = async () => {
    if (process && qemuOf(libvirt.config.uuid)?.pid === process.pid) return undefined;
    return (await monitor.reachable(signal)) ? undefined : true;
  };
  await until(life, gone, {
    signal,
    what: `waiting for the end of ${life.name}`,
    withinMs: GONE_MS,
  });
  life.aliases = new Map();
  return { was: 'on' };
}

/** Start the domain on these heads; one that runs on them is left as it is. */
export async function start(
  life: LibvirtLife,
  { heads, paused }: Of<'start'>,
  context: CallContext,
): Promise<Json> {
  if (await runsAlready(life, heads, context)) return { started: false };
  const { libvirt } = life;
  const wait = paused ? ['--paused'] : [];
  if ((await libvirt.state()) === null) {
    await withFile(await nextDescription(life, heads), path =>
      libvirt.call('create', path, ...wait),
    );
  } else {
    await configureHeads(life, { do: 'configureHeads', heads });
    await libvirt.verb('start', ...wait);
  }
  return { started: true, name: life.name };
}

/**
 * Start the domain with saved memory, standing still. The file names the machine itself that its memory
 * fits; only where the disks are is told anew.
 */
export async function startFrom(
  life: LibvirtLife,
  { heads, memory }: Of<'startFrom'>,
  context: CallContext,
): Promise<Json> {
  const { libvirt, monitor } = life;
  if (await runsAlready(life, heads, context)) {
    const [{ running }] = await monitor.ask([queryStatus], context.signal);
    if (running) throw new StepError('not-paused', 'somebody else let the loaded guest run');
    return { loaded: memory.path };
  }
  if ((await libvirt.state()) !== null) {
    await configureHeads(life, { do: 'configureHeads', heads });
  }
  if (memory.inside !== undefined) {
    // Its record holds the description of the machine that the memory fits.
    await libvirt.verb('snapshot-revert', memory.inside, '--paused').catch(refusedMemory);
    return { loaded: memory.path };
  }
  const saved = await libvirt.call('save-image-dumpxml', '--security-info', memory.path);
  await withFile(withHeads(saved, heads), path =>
    libvirt.call('restore', memory.path, '--xml', path, '--paused').catch(refusedMemory),
  );
  return { loaded: memory.path };
}

function refusedMemory(error: unknown): never {
  if (!(error instanceof StepError) || error.code !== 'refused') throw error;
  const message = `QEMU does not take the saved memory: ${error.message}`;
  throw new StepError('bad-memory', message, { cause: error, retryable: false });
}

/**
 * Have the domain's configuration name these heads from its next start on. Where a running domain writes to
 * an image above one of them, somebody else has moved it, and libvirt has written that down already.
 */
export async function configureHeads(
  life: LibvirtLife,
  { heads: wanted }: Of<'configureHeads'>,
): Promise<Json> {
  const { libvirt } = life;
  const heads = await stillHeads(life, wanted);
  if (!(await isPersistent(life))) {
    const { description } = life.notes.read();
    if (description) life.notes.write({ description: withHeads(description, heads) });
    return { configured: 0 };
  }
  const before = await libvirt.xml('next');
  const { disks } = readDescription(before, await libvirt.poolsOf(before));
  const moved = heads.filter(({ device, volume }) => {
    const now = disks.find(one => one.device === device)?.volume;
    return now?.path !== volume.path || now.format !== volume.format;
  });
  if (moved.length > 0) {
    await withFile(withHeads(before, moved), path => libvirt.call('define', path));
  }
  return { configured: moved.length };
}

/** Those of the heads that are not below another in the running domain. Throws StepError `head-moved`. */
async function stillHeads(
  life: LibvirtLife,
  heads: readonly Overlay[],
): Promise<readonly Overlay[]> {
  if (!(await life.monitor.reachable())) return heads;
  const { chains } = await viewBlocks(life);
  return heads.filter(({ device, volume }) => {
    const chain = chains[device] ?? [];
    const at = chain.findIndex(one => same(one.volume.path, volume.path));
    if (at >= 0) return at === 0;
    const now = chain[0]?.volume.path ?? 'nothing';
    const message = `${device} writes to ${now} by now, and not to ${volume.path}: somebody else has moved it`;
    throw new StepError('head-moved', message, { retryable: false });
  });
}

async function nextDescription(life: LibvirtLife, heads: readonly Overlay[]): Promise<string> {
  const { description } = life.notes.read();
  if (description) return withHeads(description, heads);
  const message = `libvirt does not know ${life.name} any more, and domsnap has not seen it end`;
  throw new StepError('no-domain', message, { retryable: false });
}

async function runsAlready(
  life: LibvirtLife,
  heads: readonly Overlay[],
  { signal }: CallContext,
): Promise<boolean> {
  const { libvirt, monitor, name } = life;
  if (!(await monitor.reachable(signal))) {
    const left = qemuOf(libvirt.config.uuid);
    if (!left) return false;
    const message = `libvirt takes ${name} for shut off, while its QEMU, process ${left.pid}, runs`;
    throw new StepError('already-running', message, { retryable: false });
  }
  const { disks } = await libvirt.describe('now');
  const other = heads.find(({ device, volume }) => {
    const head = disks.find(one => one.device === device)?.volume;
    return !head || head.format !== volume.format || !same(head.path, volume.path);
  });
  if (!other) return true;
  const now = disks.find(({ device }) => device === other.device)?.volume.path ?? 'nothing';
  const message = `${name} runs already, with ${now} as ${other.device}, not ${other.volume.path}`;
  throw new StepError('already-running', message, { retryable: false });
}

function unlessOff(error: unknown): string {
  if (error instanceof StepError && (error.code === 'off' || error.code === 'no-domain')) return '';
  throw error;
}
