import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Snapshot, Volume } from '../../src/catalog/model.ts';
import { thisProcess } from '../../src/engine/who.ts';
import { addDomain, startDomain } from '../../src/operations/domains.ts';
import { openSession } from '../../src/operations/open-session.ts';
import { type Report, type RunOptions, runRequest } from '../../src/operations/run-request.ts';
import { freeContext, type Session } from '../../src/operations/session.ts';
import { RefusedError } from '../../src/plan/refusal.ts';
import { processStartTicks, terminate } from '../../src/tools/process.ts';
import { connectQmp, type Qmp } from '../../src/tools/qmp.ts';
import { run } from '../../src/tools/run.ts';
import type { RunState } from '../../src/toolstacks/port.ts';
import { QemuDomainConfig } from '../../src/toolstacks/qemu/domain-config.ts';
import { processOfPidFile } from '../../src/toolstacks/qemu/process.ts';
import type { Wish } from '../lab/cases/operate.ts';

/** Nobody reads the calls of the tests' own tools. */
export const quiet = { log: () => {}, timeoutMs: 30_000 };
export const DOMAIN = 'web1';
export const BLOCK_BYTES = 64 * 1024;
const MIB = 1 << 20;

/** One host with a domain that needs no system: its firmware looks for one, and the test writes to its disks. */
export interface FaultHost {
  readonly folder: string;
  readonly session: Session;
  readonly config: QemuDomainConfig;
  /** Digests of what usable snapshots held when they were first seen, and what their files looked like. */
  readonly proofs: Map<string, { readonly content: string; readonly files: string }>;
}

/** What differs from two small disks, qcow2 and raw, in one folder. */
export interface HostOptions {
  readonly disks?: QemuDomainConfig['disks'];
  /** Where the second disk lies. */
  readonly secondFolder?: string;
  /** Where both lie. */
  readonly imageFolder?: string;
  readonly sizeMib?: number;
  /** Further arguments of QEMU. */
  readonly extra?: readonly string[];
  readonly agent?: boolean;
  /** The memory of the guest. */
  readonly memoryMib?: number;
  /** Removed when this says so; at the end of the test by default. */
  readonly atEnd?: (clean: () => Promise<void>) => void;
}

/** Make such a host, its domain known and off. */
export async function faultHost(options: HostOptions = {}): Promise<FaultHost> {
  // A socket's path has 107 bytes at most.
  const folder = mkdtempSync(join(tmpdir(), 'ds-fault-'));
  const config = configOf(folder, options);
  for (const { path, format } of config.disks) {
    await run(['qemu-img', 'create', '-q', '-f', format, path, `${options.sizeMib ?? 4}M`], quiet);
  }
  const session = openSession({ home: join(folder, 'home'), who: thisProcess() });
  const host = { folder, session, config, proofs: new Map() };
  (options.atEnd ?? onTestFinished)(async () => {
    await killDomain(host);
    session.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await addAgain(host);
  return host;
}

function configOf(folder: string, options: HostOptions): QemuDomainConfig {
  const { imageFolder = folder, secondFolder = imageFolder, extra = [], memoryMib = 16 } = options;
  const other = `socket,id=other,path=${join(folder, 'other.sock')},server=on,wait=off`;
  return QemuDomainConfig.parse({
    name: DOMAIN,
    arguments: [
      ...['-accel', 'tcg', '-M', 'q35', '-m', String(memoryMib), '-nodefaults', '-display', 'none'],
      ...['-chardev', other, '-mon', 'chardev=other,mode=control'],
      ...extra,
    ],
    disks: options.disks ?? [
      { device: 'vda', path: join(imageFolder, 'vda.qcow2'), format: 'qcow2' },
      { device: 'vdb', path: join(secondFolder, 'vdb.raw'), format: 'raw' },
    ],
    monitor: join(folder, 'qmp.sock'),
    ...(options.agent ? { agent: join(folder, 'agent.sock') } : {}),
  });
}

/** Take the domain file up, as it is now or changed. */
export async function addAgain(
  { session, config }: FaultHost,
  change: Partial<QemuDomainConfig> = {},
): Promise<void> {
  const changed = { ...config, ...change };
  const disks = changed.disks.map(({ device, path, format }) => ({
    device,
    head: { path, format },
  }));
  await addDomain(session, { name: DOMAIN, toolstack: 'qemu', config: changed, disks });
}

export const start = ({ session }: FaultHost): Promise<unknown> => startDomain(session, DOMAIN, {});

/** The domain's process, or null. */
export const domainPid = ({ session }: FaultHost): number | null =>
  processOfPidFile(join(session.home, 'run', `${DOMAIN}.pid`))?.pid ?? null;

/** Kill QEMU with SIGKILL. */
export async function killDomain(host: FaultHost): Promise<void> {
  const pid = domainPid(host);
  if (pid === null) return;
  process.kill(pid, 'SIGKILL');
  await terminate(pid, processStartTicks(pid) ?? 0, { graceMs: 5_000, ...quiet });
}

/** How an operation is to end. */
export interface Expected extends RunOptions {
  readonly outcome?: Report['outcome'];
  readonly session?: Session;
}

/** Run an operation to the outcome that is expected; `committed` by default. */
export async function operate(
  host: FaultHost,
  wish: Wish,
  { outcome = 'committed', session = host.session, ...options }: Expected = {},
): Promise<Report> {
  const report = await runRequest(session, { ...wish, domain: DOMAIN } as never, options);
  expect(report.outcome, JSON.stringify(report.failures)).toBe(outcome);
  return report;
}

/** Which steps failed, and how, first cause first. */
export const codes = ({ failures }: Report): string[] =>
  failures.map(({ step, code }) => `${step}: ${code}`);

/** The codes with which a request is refused. Fails where it is not. */
export async function refusalOf(host: FaultHost, wish: Wish): Promise<string[]> {
  const refused: unknown = await runRequest(host.session, {
    ...wish,
    domain: DOMAIN,
  } as never).catch(error => error);
  expect(refused).toBeInstanceOf(RefusedError);
  return (refused as RefusedError).refusals.map(({ code }) => code);
}

/** Do something in the second monitor, as somebody else would. */
export async function behindItsBack<T>(
  { folder }: Pick<FaultHost, 'folder'>,
  body: (monitor: Qmp) => Promise<T>,
): Promise<T> {
  const path = join(folder, 'other.sock');
  const monitor = await connectQmp({ path, deadlineMs: 10_000, log: quiet.log });
  try {
    return await body(monitor);
  } finally {
    monitor.close();
  }
}

/** One QMP command of somebody else's. */
export const tell = (
  host: Pick<FaultHost, 'folder'>,
  command: string,
  args: Parameters<Qmp['execute']>[2] = {},
): Promise<unknown> => behindItsBack(host, monitor => monitor.execute(z.unknown(), command, args));

/** Write blocks of one byte to a disk, by the guest's device where it runs. */
export async function write(
  host: FaultHost,
  device: string,
  byte: number,
  { block = 0, blocks = 1 } = {},
): Promise<void> {
  const command = `write -P ${byte} ${block * BLOCK_BYTES} ${blocks * BLOCK_BYTES}`;
  if (domainPid(host) === null) {
    const { path, format } = headOf(host, device);
    await run(['qemu-io', '-f', format, '-c', command, path], quiet);
    return;
  }
  for (const io of [command, 'flush']) {
    const line = `qemu-io -d /machine/peripheral/${device}/virtio-backend "${io}"`;
    expect(await tell(host, 'human-monitor-command', { 'command-line': line })).toBe('');
  }
}

/** Write to both disks. */
export async function writeBoth(
  host: FaultHost,
  byte: number,
  where: { block?: number; blocks?: number } = {},
): Promise<void> {
  for (const { device } of host.config.disks) await write(host, device, byte, where);
}

/** The image that a disk is recorded to write to. */
export function headOf({ session }: FaultHost, device: string): Volume {
  const disk = session.catalog.domain(DOMAIN)?.disks.find(one => one.device === device);
  if (!disk) throw new Error(`no disk ${device}`);
  return disk.head;
}

/** The first byte of a block, as an image shows it. */
export async function byteOf({ path, format }: Volume, block = 0): Promise<number> {
  const read = `read -v ${block * BLOCK_BYTES} 512`;
  const { stdout } = await run(['qemu-io', '-U', '-r', '-f', format, '-c', read, path], quiet);
  const found = /^[0-9a-f]{8}: {2}([0-9a-f]{2}) /m.exec(stdout);
  if (!found) throw new Error(`qemu-io says: ${stdout}`);
  return Number.parseInt(found[1]!, 16);
}

export const runStateOf = async ({ session }: FaultHost): Promise<RunState> => {
  const toolstack = await session.openToolstack(session.catalog.domain(DOMAIN)!);
  try {
    return await toolstack.runState(freeContext());
  } finally {
    await toolstack.close();
  }
};

export const names = ({ session }: FaultHost): string[] =>
  session.catalog
    .snapshots(DOMAIN)
    .filter(({ kind }) => kind === 'snapshot')
    .map(({ name }) => name);

/** A snapshot that must be there. */
export function snapshotOf({ session }: FaultHost, name: string): Snapshot {
  const found = session.catalog.snapshot(DOMAIN, name);
  if (!found) throw new Error(`there is no snapshot ${name}`);
  return found;
}

/** A folder of a test's own under the host's. */
export function subfolder({ folder }: FaultHost, name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { mode: 0o700 });
  return path;
}

/** Fill a file system but for so many bytes; the filler is removed by removing the file. */
export const filler = (path: string, bytes: number): void =>
  writeFileSync(path, Buffer.alloc(Math.max(0, bytes)));

export const mib = (n: number): number => n * MIB;
