import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnDaemon } from '../tools/daemon.ts';
import { terminate } from '../tools/process.ts';
import { run } from '../tools/run.ts';
import { ToolError } from '../tools/tool-error.ts';
import { log, say } from './say.ts';

/** A libvirt that answers. */
export interface Libvirt {
  readonly version: string;
  /** How another virsh reaches it. */
  readonly uri: string;
  virsh(...args: readonly string[]): Promise<string>;
  /** Ends the daemons that the bench has started; others are left alone. */
  close(): Promise<void>;
}

const VIRSH_MS = 10 * 60_000;
const UP_MS = 20_000;
/** Where the daemon that writes the logs of QEMU is asked for. */
export const VIRTLOGD_SOCKET = '/run/libvirt/virtlogd-sock';

/** Why there is no libvirt to be compared with. */
export class NoLibvirtError extends Error {
  override readonly name = 'NoLibvirtError';
}

/**
 * The libvirt of this host: the session's for a user, which virsh starts by itself, and the system's
 * for root. Where none answers root, daemons of the bench's own are started. Throws NoLibvirtError.
 */
export async function libvirt(folder: string): Promise<Libvirt> {
  const found = await answering(process.getuid?.() === 0 ? 'qemu:///system' : 'qemu:///session');
  if (found) return { ...found, close: async () => {} };
  if (process.getuid?.() !== 0) throw new NoLibvirtError('virsh finds no libvirt');
  return await ownDaemons(join(folder, 'libvirt'));
}

async function ownDaemons(folder: string): Promise<Libvirt> {
  const { config, uri } = await ownConfig(folder);
  const started: { pid: number; startTicks: number | null }[] = [];
  const start = async (program: string, ...args: string[]) => {
    const logFile = join(folder, `${program}.log`);
    started.push(await spawnDaemon([program, ...args], { log, logFile }));
  };
  const close = async () => {
    for (const { pid, startTicks } of started.toReversed()) {
      if (startTicks !== null) await terminate(pid, startTicks, { graceMs: 5_000, log });
    }
  };
  try {
    if (!existsSync(VIRTLOGD_SOCKET)) await start('virtlogd', '-p', join(folder, 'virtlogd.pid'));
    await start('libvirtd', '-f', config, '-p', join(folder, 'libvirtd.pid'));
    const untilMs = performance.now() + UP_MS;
    for (;;) {
      const found = await answering(uri);
      if (found) {
        say(`libvirt ${found.version}, started for the bench`);
        return { ...found, close };
      }
      if (performance.now() > untilMs) throw new NoLibvirtError('libvirtd does not answer');
      await sleep(200);
    }
  } catch (error) {
    await close();
    if (error instanceof ToolError && error.code === 'missing') {
      throw new NoLibvirtError('libvirtd is not installed', { cause: error });
    }
    throw error;
  }
}

/** The file that has a libvirtd listen in a folder of its own, and how it is reached there. */
export async function ownConfig(folder: string): Promise<{ config: string; uri: string }> {
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'libvirtd.conf');
  const plain = ['auth_unix_ro = "none"', 'auth_unix_rw = "none"', `unix_sock_dir = "${folder}"`];
  await writeFile(config, `${plain.join('\n')}\n`);
  return { config, uri: `qemu+unix:///system?socket=${join(folder, 'libvirt-sock')}` };
}

/** The libvirt behind an address, or null. Throws NoLibvirtError where there is no virsh. */
export async function answering(uri: string): Promise<Omit<Libvirt, 'close'> | null> {
  const virsh = async (...args: readonly string[]): Promise<string> => {
    const argv = ['virsh', '-q', '-c', uri, ...args] as const;
    return (await run(argv, { timeoutMs: VIRSH_MS, log })).stdout;
  };
  try {
    const said = await virsh('version');
    return { uri, virsh, version: /library: libvirt (\S+)/.exec(said)?.[1] ?? 'unknown' };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    if (error.code === 'missing') throw new NoLibvirtError('virsh is not installed');
    return null;
  }
}
