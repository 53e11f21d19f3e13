import { cpus, loadavg, release, totalmem } from 'node:os';
import { run } from '../tools/run.ts';
import { ToolError } from '../tools/tool-error.ts';
import { log } from './say.ts';

/** On what was measured: figures of two hosts cannot be compared. */
export interface HostFacts {
  readonly at: string;
  readonly processor: string;
  readonly processors: number;
  readonly memoryMb: number;
  readonly kernel: string;
  readonly node: string;
  readonly qemu: string;
  readonly libvirt: string;
  /** Runnable processes over the last minute, before the bench began: above 0.5, others were at work. */
  readonly loadBefore: number;
}

/** Ask the host. */
export async function hostFacts(libvirt: string): Promise<HostFacts> {
  const [first] = cpus();
  return {
    at: new Date().toISOString(),
    processor: first?.model ?? 'unknown',
    processors: cpus().length,
    memoryMb: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    qemu: await qemuVersion(),
    libvirt,
    loadBefore: loadavg()[0] ?? 0,
  };
}

async function qemuVersion(): Promise<string> {
  try {
    const options = { timeoutMs: 30_000, log };
    const { stdout } = await run(['qemu-system-x86_64', '--version'], options);
    return /version (\S+)/.exec(stdout)?.[1] ?? 'unknown';
  } catch (error) {
    if (error instanceof ToolError) return 'not installed';
    throw error;
  }
}
