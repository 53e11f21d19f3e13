import { chmodSync, closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import { backingChain } from '../../tools/backing-chain.ts';
import { type Daemon, spawnDaemon } from '../../tools/daemon.ts';
import { fileError } from '../../tools/file-errors.ts';
import { imageFormat } from '../../tools/image-format.ts';
import { printable } from '../../tools/printable.ts';
import { terminate } from '../../tools/process.ts';
import { ToolError } from '../../tools/tool-error.ts';
import type { CallContext, Overlay } from '../port.ts';
import { type StartOptions, startArgv } from './argv.ts';
import { isBlockDevice, type QemuLife, viewBlocks } from './life.ts';
import { same } from './overlays.ts';
import { alive, processOfPidFile } from './process.ts';
import { until } from './until.ts';

/** How long QEMU may take from its start to its first answer. */
const UP_MS = 30_000;

/** QEMU's arguments for a start on these heads. */
export function argvFor(
  { config, notes }: QemuLife,
  how: Pick<StartOptions, 'heads' | 'paused' | 'incoming'>,
): readonly [string, ...string[]] {
  return startArgv(config, { ...how, pidFile: notes.path('pid'), isBlockDevice });
}

/**
 * Start the domain. One that runs on these very heads is left as it is; on others, `already-running`.
 * Throws `start-failed` with what QEMU said, and whatever is wrong with the images.
 */
export async function start(
  life: QemuLife,
  how: Pick<StartOptions, 'heads' | 'paused' | 'incoming'>,
  context: CallContext,
): Promise<Json> {
  if (await runsAlready(life, how.heads, context)) return { started: false };
  await checkChains(how.heads, context);
  checkFolders(life);
  const { notes, config } = life;
  notes.prepareFolder();
  // What an earlier process left is of no use to the new one.
  notes.write({ capture: undefined, burnt: undefined });
  const logFile = notes.path('log');
  const logFrom = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  const daemon = await spawn(argvFor(life, how), { log: context.log, logFile });
  try {
    await untilUp(life, daemon, context, () => tail(logFile, logFrom));
    for (const socket of [config.monitor, config.agent]) if (socket) forOwnerOnly(socket);
  } catch (error) {
    const { pid, startTicks } = daemon;
    await terminate(pid, startTicks ?? 0, { graceMs: 2_000, log: context.log });
    throw error;
  }
  return { started: true, name: config.name };
}

/** QEMU makes its sockets, and nobody their folders: they may be on a tmpfs that each boot empties. */
function checkFolders({ config }: QemuLife): void {
  for (const socket of [config.monitor, config.agent]) {
    const folder = dirname(socket ?? '/');
    if (existsSync(folder)) continue;
    const message = `the folder ${folder} is not there: QEMU could not make its socket in it`;
    throw new StepError('no-socket-folder', message, { retryable: false });
  }
}

async function spawn(...args: Parameters<typeof spawnDaemon>): Promise<Daemon> {
  try {
    return await spawnDaemon(...args);
  } catch (cause) {
    if (!(cause instanceof ToolError) || cause.code !== 'missing') throw cause;
    const message = `the emulator ${args[0][0]} is not there`;
    throw new StepError('no-emulator', message, { cause, retryable: false });
  }
}

/** Whoever may talk to the monitor is its user; QEMU makes it as the umask of the moment has it. */
function forOwnerOnly(socket: string): void {
  try {
    chmodSync(socket, 0o600);
  } catch (cause) {
    throw fileError('chmod', socket, cause);
  }
}

async function runsAlready(
  life: QemuLife,
  heads: readonly Overlay[],
  { signal }: CallContext,
): Promise<boolean> {
  const { monitor, notes, config } = life;
  const starting = processOfPidFile(notes.path('pid'));
  if (starting) {
    // An earlier life started it and did not see it come up.
    const up = async () => {
      try {
        return (await monitor.reachable(signal)) || undefined;
      } catch (error) {
        if (!(error instanceof StepError) || error.code !== 'monitor-lost') throw error;
        return undefined;
      }
    };
    const what = `waiting for the monitor of process ${starting.pid}`;
    await until(life, up, { signal, what, withinMs: UP_MS });
  }
  if (!(await monitor.reachable(signal))) return false;
  const { chains } = await viewBlocks(life, signal);
  const other = heads.find(({ device, volume }) => {
    const head = chains[device]?.[0];
    return !head || head.volume.format !== volume.format || !same(head.volume.path, volume.path);
  });
  if (!other) return true;
  const now = chains[other.device]?.[0]?.volume.path ?? 'nothing';
  const message = `${config.name} runs already, with ${now} as ${other.device}, not ${other.volume.path}`;
  throw new StepError('already-running', message, { retryable: false });
}

/** QEMU would guess the format of an image that its overlay does not name the format of. */
async function checkChains(heads: readonly Overlay[], { log, signal }: CallContext): Promise<void> {
  const options = { log, signal, shared: false };
  for (const { volume } of heads) {
    await backingChain(volume.path, imageFormat.parse(volume.format), options);
  }
}

async function untilUp(
  life: QemuLife,
  daemon: Daemon,
  { signal }: CallContext,
  said: () => string,
): Promise<void> {
  const { monitor, config } = life;
  const { pid, startTicks } = daemon;
  const up = async () => {
    if (startTicks === null || !alive({ pid, startTicks })) {
      const why = said();
      const message = `QEMU ended before ${config.name} was up: ${why || 'it said nothing'}`;
      // It says why it gives up; what ends without a word was killed, and is started once more.
      throw new StepError('start-failed', message, { retryable: why === '' });
    }
    try {
      return (await monitor.reachable(signal)) || undefined;
    } catch (error) {
      // One that ends after it has opened its monitor hangs up: its own words say why.
      const hungUp = error instanceof ToolError && error.code === 'closed';
      const notYet = error instanceof StepError && error.code === 'monitor-lost';
      if (!hungUp && !notYet) throw error;
      return undefined;
    }
  };
  await until(life, up, { signal, what: `waiting for ${config.name}`, withinMs: UP_MS });
}

const TAIL_BYTES = 4_000;

/** What a process wrote to its log since it was started, its end. */
export function tail(path: string, from: number): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const start = Math.max(from, size - TAIL_BYTES);
  if (size <= start) return '';
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(size - start);
    readSync(file, bytes, 0, bytes.length, start);
    return printable(bytes.toString('utf8').trim(), TAIL_BYTES);
  } finally {
    closeSync(file);
  }
}
