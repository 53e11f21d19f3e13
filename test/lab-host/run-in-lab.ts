import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followFile } from './follow-file.ts';
import { LAB, writeInitramfs } from './initramfs.ts';
import { hostKit } from './kit.ts';
import { hostArguments } from './qemu.ts';
import { type Command, sessionScript } from './session.ts';

export interface LabRun extends Command {
  /** Where the kernel is kept; see `labCacheFolder`. */
  readonly cacheFolder: string;
  /** The host's disks, all empty: vda, vdb and so on. They take room as they are written to. */
  readonly diskBytes: readonly number[];
  readonly memoryMb: number;
  /** Whether its kernel has AppArmor. */
  readonly appArmor?: boolean;
  readonly timeoutMs: number;
  /** Hears what the command prints, stdout and stderr together, while it runs. */
  readonly onOutput: (bytes: Buffer) => void;
  /** Puts what the command needs into the folder that the guest has at `LAB/share`. */
  readonly prepare?: ((share: string) => Promise<void>) | undefined;
  /** Calls the run off. */
  readonly signal?: AbortSignal | undefined;
}

export interface LabResult {
  /** The command's exit code; null where the host died before that, or was not done in time. */
  readonly status: number | null;
  /** How the host ended, and what its console showed last. */
  readonly end: string;
  /** How long the host was up when the command had ended. */
  readonly uptimeS: number;
  /** What the command wrote to the file that `DOMSNAP_LAB_REPORT` names. */
  readonly report: string | undefined;
}

/**
 * Boot a lab host whose root is a copy-on-write view of this machine's, run one command in it as root,
 * and power it off. All that the command changes is gone with the host. Rejects where no host can be
 * made or started.
 */
export async function runInLab(options: LabRun): Promise<LabResult> {
  const work = mkdtempSync(join(tmpdir(), 'domsnap-lab-'));
  try {
    const share = join(work, 'share');
    await mkdir(share);
    const environment = { ...options.environment, DOMSNAP_LAB_REPORT: `${LAB}/share/report` };
    await writeFile(join(share, 'session'), sessionScript({ ...options, environment }));
    await writeFile(join(share, 'output'), '');
    await options.prepare?.(share);
    const kit = await hostKit(options.cacheFolder);
    const initramfs = join(work, 'initramfs.cpio');
    await writeInitramfs(kit, initramfs);
    const disks = options.diskBytes.map((_, index) => join(work, `disk${index}.raw`));
    for (const [index, bytes] of options.diskBytes.entries()) {
      await writeFile(disks[index]!, '', { mode: 0o600 });
      await truncate(disks[index]!, bytes);
    }
    const console = join(work, 'console');
    const kernel = join(kit.folder, 'vmlinux');
    const { memoryMb, appArmor } = options;
    const argv = hostArguments({ kernel, initramfs, share, console, disks, memoryMb, appArmor });
    const stopFollowing = followFile(join(share, 'output'), options.onOutput);
    const end = await untilPoweredOff(argv, options).finally(stopFollowing);
    const left = (name: string) =>
      existsSync(join(share, name)) ? readFileSync(join(share, name), 'utf8') : undefined;
    const status = left('status');
    return {
      status: status === undefined ? null : Number(status),
      end: `${end}\n${existsSync(console) ? readFileSync(console, 'utf8').slice(-4000) : ''}`,
      uptimeS: Number(left('uptime') ?? Number.NaN),
      report: left('report'),
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Resolves with what QEMU said, and how it ended, when the host is off, by itself or by force. */
function untilPoweredOff(
  [program, ...args]: readonly string[],
  { timeoutMs, signal }: LabRun,
): Promise<string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    let forced = '';
    child.stderr.on('data', data => {
      said += data;
    });
    const end = (why: string) => {
      forced = why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => end(`not done within ${timeoutMs / 1000} s; `), timeoutMs);
    const calledOff = () => end('called off; ');
    signal?.addEventListener('abort', calledOff);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', calledOff);
    };
    child.once('error', cause => {
      settle();
      reject(new Error(`QEMU cannot be started: ${cause.message}`, { cause }));
    });
    child.once('close', (code, killedBy) => {
      settle();
      resolve(`${forced}QEMU ended with ${killedBy ?? code}: ${said}`);
    });
  });
}
