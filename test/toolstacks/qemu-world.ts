import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Volume } from '../../src/catalog/model.ts';
import { systemClock } from '../../src/engine/system-clock.ts';
import { connectQmp } from '../../src/tools/qmp.ts';
import { run } from '../../src/tools/run.ts';
import { ToolError } from '../../src/tools/tool-error.ts';
import type { Overlay, Toolstack } from '../../src/toolstacks/port.ts';
import { QemuDomainConfig } from '../../src/toolstacks/qemu/domain-config.ts';
import { alive, processOfPidFile } from '../../src/toolstacks/qemu/process.ts';
import { qemuToolstack } from '../../src/toolstacks/qemu/toolstack.ts';
import type { ToolstackWorld } from './conformance.ts';

const BLOCK_BYTES = 64 * 1024;
const options = { log: () => {}, timeoutMs: 20_000 };

/** A world on a real QEMU, with what only its own tests need. */
export interface QemuWorld extends ToolstackWorld {
  readonly folder: string;
  readonly config: QemuDomainConfig;
  /** Gives a command to a second monitor, as somebody else would. */
  tell(command: string, args?: Record<string, string | number | boolean>): Promise<unknown>;
  /** The pid of the domain's QEMU. */
  pid(): number;
}

/** A machine without a system, its firmware looking for one; two disks of 16 MiB. */
export async function qemuWorld(
  extra: readonly string[] = [],
  binary?: string,
): Promise<QemuWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'domsnap-qemu-'));
  const path = (name: string) => join(folder, name);
  const config = { ...configOf(folder, extra), ...(binary ? { binary } : {}) };
  const heads: [Overlay, Overlay] = [
    { device: 'vda', volume: { path: path('vda.qcow2'), format: 'qcow2' } },
    { device: 'vdb', volume: { path: path('vdb.raw'), format: 'raw' } },
  ];
  for (const { volume } of heads) {
    await run(['qemu-img', 'create', '-q', '-f', volume.format, volume.path, '16M'], options);
  }
  const pidFile = path('home/run/web1.pid');
  const kill = async () => {
    const found = processOfPidFile(pidFile);
    if (!found) return;
    process.kill(found.pid, 'SIGKILL');
    while (alive(found)) await sleep(10);
  };
  onTestFinished(async () => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const tell = (command: string, args = {}) => onMonitor(path('other.sock'), command, args);
  return {
    ...{ folder, config, heads, path, kill, tell, isFree },
    toolstack: oneAtATime(() =>
      qemuToolstack(config, {
        home: path('home'),
        clock: systemClock,
        heads: () => heads.map(({ device, volume }) => ({ device, head: volume })),
      }),
    ),
    pid: () => processOfPidFile(pidFile)!.pid,
    createOverlay: async (overlay, base) => {
      const over = ['-b', base.path, '-F', base.format];
      await run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...over, overlay.path], options);
    },
    createFile: async file => writeFileSync(file, '', { mode: 0o600 }),
    write: async (device, block, byte) => {
      for (const io of [`write -P ${byte} ${block * BLOCK_BYTES} ${BLOCK_BYTES}`, 'flush']) {
        const line = `qemu-io -d /machine/peripheral/${device}/virtio-backend "${io}"`;
        const said = await tell('human-monitor-command', { 'command-line': line });
        if (said !== '') throw new Error(String(said));
      }
    },
    readImage: (volume, block) => readByte(volume, block * BLOCK_BYTES),
    memoryDigest: async () => {
      const filename = path('pmem');
      await tell('pmemsave', { val: 0, size: 64 * 1024 * 1024, filename });
      return createHash('sha256').update(readFileSync(filename)).digest('hex');
    },
  };
}

function configOf(folder: string, extra: readonly string[]): QemuDomainConfig {
  const other = `socket,id=other,path=${join(folder, 'other.sock')},server=on,wait=off`;
  return QemuDomainConfig.parse({
    name: 'web1',
    arguments: [
      ...['-accel', 'tcg', '-M', 'q35', '-m', '64', '-nodefaults', '-display', 'none'],
      ...['-chardev', other, '-mon', 'chardev=other,mode=control'],
      ...extra,
    ],
    disks: [
      { device: 'vda', path: join(folder, 'vda.qcow2'), format: 'qcow2' },
      { device: 'vdb', path: join(folder, 'vdb.raw'), format: 'raw' },
    ],
    monitor: join(folder, 'qmp.sock'),
  });
}

/** QEMU serves one client: a life that acts takes the monitor from those before it. */
function oneAtATime(make: () => Toolstack): () => Toolstack {
  const made = new Set<Toolstack>();
  onTestFinished(async () => {
    for (const one of made) await one.close();
  });
  return () => {
    const toolstack = make();
    made.add(toolstack);
    return new Proxy(toolstack, {
      get(target, name, receiver) {
        const method: unknown = Reflect.get(target, name, receiver);
        if (typeof method !== 'function') return method;
        return (...args: unknown[]) => {
          for (const other of made) if (other !== toolstack) void other.close();
          return method.apply(target, args);
        };
      },
    });
  };
}

async function onMonitor(
  path: string,
  command: string,
  args: Record<string, string | number | boolean>,
): Promise<unknown> {
  const qmp = await connectQmp({ path, deadlineMs: 10_000, log: options.log });
  try {
    return await qmp.execute(z.unknown(), command, args);
  } finally {
    qmp.close();
  }
}

async function readByte({ path, format }: Volume, offset: number): Promise<number> {
  const read = `read -v ${offset} 512`;
  const { stdout } = await run(['qemu-io', '-U', '-r', '-f', format, '-c', read, path], options);
  const found = /^[0-9a-f]{8}: {2}([0-9a-f]{2}) /m.exec(stdout);
  if (!found) throw new Error(`qemu-io says: ${stdout}`);
  return Number.parseInt(found[1]!, 16);
}

async function isFree({ path, format }: Volume): Promise<boolean> {
  const backing = format === 'qcow2' ? { backing: null } : {};
  const image = { driver: format, ...backing, file: { driver: 'file', filename: path } };
  const argv = ['qemu-io', '-c', 'read 0 512', `json:${JSON.stringify(image)}`] as const;
  try {
    await run(argv, options);
    return true;
  } catch (error) {
    if (error instanceof ToolError && /lock/.test(error.message)) return false;
    throw error;
  }
}
