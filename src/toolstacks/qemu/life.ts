import { statSync } from 'node:fs';
import { z } from 'zod';
import type { DomainDisk } from '../../catalog/model.ts';
import type { Clock } from '../../engine/clock.ts';
import type { Capture } from '../port.ts';
import * as commands from './commands.ts';
import type { QemuDomainConfig } from './domain-config.ts';
import { streamsAreOver } from './ended-streams.ts';
import { type BlockView, blockView, queryBlock, queryGraph, queryNodes } from './graph.ts';
import { Monitor } from './monitor.ts';
import type { MonitorPort } from './monitor-port.ts';
import { isOwnNode } from './node-names.ts';
import { Notes } from './notes.ts';
import { folderOf } from './process.ts';
import type { Query } from './query.ts';
import { type MemorySink, shellSink } from './sink.ts';

/** What all deeds on one running QEMU share, whoever looks after its process. */
export interface Life {
  readonly name: string;
  readonly devices: readonly string[];
  /** What QEMU calls a device. */
  readonly idOf: (device: string) => string;
  /** Whether a block node was named by whoever opens this domain's images. */
  readonly ownsNode: (name: string) => boolean;
  readonly clock: Clock;
  readonly heads: () => readonly DomainDisk[];
  readonly monitor: MonitorPort;
  readonly notes: Notes;
  /** How saved memory gets to its file. */
  readonly sink: MemorySink;
  /** Who looks after QEMU ends block jobs too: their end may come between any two questions. */
  readonly jobsEndThemselves: boolean;
  /** It also waits for the events of migrations, which must stay on. */
  readonly wantsEvents: boolean;
  /** The images as they were seen last; forgotten where a deed has changed them. */
  seen: BlockView | undefined;
  /** The last deed has found the guest standing still, and its disks on the images that were seen. */
  settled: boolean;
  /** The capture for which this life has set QEMU's migration, and not ended it. */
  prepared: Capture | undefined;
}

/** The life of a QEMU that domsnap itself starts. */
export interface QemuLife extends Life {
  readonly config: QemuDomainConfig;
}

/** Everything that a toolstack object holds on to. */
export function lifeOf(
  config: QemuDomainConfig,
  options: { home: string; clock: Clock; heads: () => readonly DomainDisk[] },
): QemuLife {
  const notes = new Notes(options.home, config.name);
  const devices = config.disks.map(({ device }) => device);
  return {
    config,
    name: config.name,
    devices,
    idOf: device => device,
    ownsNode: name => isOwnNode(name, devices),
    clock: options.clock,
    heads: options.heads,
    monitor: new Monitor(config, notes.path('pid')),
    notes,
    sink: shellSink,
    jobsEndThemselves: false,
    wantsEvents: false,
    seen: undefined,
    settled: false,
    prepared: undefined,
  };
}

export const queryStatus: Query<{ status: string; running: boolean }> = {
  command: 'query-status',
  schema: z.object({ status: z.string(), running: z.boolean() }),
};

/** All images of the running domain, as they are at one moment. Throws StepError `stream-ending`. */
export async function viewBlocks(life: Life, signal?: AbortSignal): Promise<BlockView> {
  return (await viewWithStatus(life, signal)).view;
}

/**
 * The images that a deed is about to change. Behind a saved memory QEMU stays in `postmigrate`, where
 * it has let its image locks go and may not write: only `cont` takes them back.
 */
export async function viewForChange(life: Life, signal?: AbortSignal): Promise<BlockView> {
  const { view, status } = await viewWithStatus(life, signal);
  if (status !== 'postmigrate') return view;
  await takeImagesBack(life, signal);
  return viewBlocks(life, signal);
}

/**
 * The guest may run for the microseconds between two commands of one write. The port's user knows of
 * the saved memory, and wants the images locked more than that instant back.
 */
export async function takeImagesBack({ monitor }: Life, signal?: AbortSignal): Promise<void> {
  await monitor.send([commands.cont, commands.stop], signal);
}

async function viewWithStatus(
  life: Life,
  signal: AbortSignal | undefined,
): Promise<{ view: BlockView; status: string }> {
  const { monitor, devices, idOf } = life;
  await streamsAreOver(life, signal);
  const queries = [queryStatus, queryBlock, queryNodes, queryGraph] as const;
  const [{ status }, blocks, nodes, graph] = await monitor.ask(queries, signal);
  const relative = nodes.some(({ file }) => !file.startsWith('/'));
  const folder = relative ? folderOf(monitor.process()?.pid ?? null) : '/';
  life.seen = blockView(devices, idOf, blocks, nodes, graph, folder);
  return { view: life.seen, status };
}

/** Whether the path is a block device, which QEMU opens by another driver than a file. */
export function isBlockDevice(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isBlockDevice() ?? false;
}
