import type { QmpCommand } from '../../tools/qmp.ts';
import type { Capture, Command, Merge, Overlay, Tagged } from '../port.ts';
import { blockdevOptions } from './argv.ts';
import { overlayNode } from './node-names.ts';

// The commands that change something, each made in one place for what is done and what is shown.

/** Stops the processors; drains and flushes all disks (qemu: vm_stop). */
export const stop: QmpCommand = { command: 'stop' };
export const cont: QmpCommand = { command: 'cont' };
export const quit: QmpCommand = { command: 'quit' };

/** Opens an overlay, not yet over anything. */
export const attach = (
  { device, volume }: Overlay,
  isBlockDevice: (path: string) => boolean,
): QmpCommand => ({
  command: 'blockdev-add',
  args: {
    ...blockdevOptions(overlayNode(device, volume.path), volume, isBlockDevice),
    backing: null,
  },
});

export const detach = (node: string): QmpCommand => ({
  command: 'blockdev-del',
  args: { 'node-name': node },
});

/** All disks at one instant, or none; `nodeOf` knows the node that a device writes to now. */
export const snapshot = (
  external: readonly Overlay[],
  internal: readonly Tagged[],
  nodeOf: (device: string) => string,
): QmpCommand => ({
  command: 'transaction',
  args: {
    actions: [
      ...external.map(({ device, volume }) => ({
        type: 'blockdev-snapshot',
        data: { node: nodeOf(device), overlay: overlayNode(device, volume.path) },
      })),
      ...internal.map(({ device, tag }) => ({
        type: 'blockdev-snapshot-internal-sync',
        data: { device: nodeOf(device), name: tag },
      })),
    ],
  },
});

export const dropTag = (node: string, tag: string): QmpCommand => ({
  command: 'blockdev-snapshot-delete-internal-sync',
  args: { device: node, name: tag },
});

/**
 * What the migration of this QEMU is to be like; null: as it was born. `withEvents`: as who looks after it
 * has made it then. Libvirt hears of its own migrations by these events alone, and turns them on once, when it
 * meets QEMU (libvirt: src/qemu/qemu_migration_params.c, qemuMigrationCapsCheck).
 */
export const captureModes = (capture: Capture | null, withEvents: boolean): QmpCommand => ({
  command: 'migrate-set-capabilities',
  args: {
    capabilities: [
      // So that its end need not be asked for.
      { capability: 'events', state: withEvents || capture !== null },
      { capability: 'background-snapshot', state: capture === 'background' },
      {
        capability: 'pause-before-switchover',
        state: capture === 'precopy' || capture === 'paused',
      },
    ],
  },
});

// QEMU's own default, 128 MiB/s, is meant for networks (migration/migration.c, MAX_THROTTLE).
const DEFAULT_BYTES_PER_SECOND = 128 * 1024 * 1024;
const NO_LIMIT_BYTES_PER_SECOND = 1024 ** 4;

export const captureSpeed = (unlimited: boolean): QmpCommand => ({
  command: 'migrate-set-parameters',
  args: { 'max-bandwidth': unlimited ? NO_LIMIT_BYTES_PER_SECOND : DEFAULT_BYTES_PER_SECOND },
});

export const migrate = (uri: string): QmpCommand => ({ command: 'migrate', args: { uri } });
export const migrateOn: QmpCommand = {
  command: 'migrate-continue',
  args: { state: 'pre-switchover' },
};
/** Only of one that is being cancelled: it waits no longer at the switch-over. */
export const migrateWake: QmpCommand = {
  command: 'migrate-continue',
  args: { state: 'cancelling' },
};
export const migrateCancel: QmpCommand = { command: 'migrate_cancel' };
export const migrateIncoming = (uri: string): QmpCommand => ({
  command: 'migrate-incoming',
  args: { uri },
});

// A job must outlast its client: it neither ends nor vanishes by itself.
const lasting = { 'auto-finalize': false, 'auto-dismiss': false, 'on-error': 'stop' } as const;

/** Copies what lies between top and base up into top. */
export const stream = ({ job, base }: Merge, nodes: MergeNodes): QmpCommand => ({
  command: 'block-stream',
  args: {
    'job-id': job,
    device: nodes.top,
    ...(base && nodes.base ? { 'base-node': nodes.base, 'backing-file': base.path } : {}),
    ...lasting,
  },
});

/** Writes top, and what lies between, down into base. A head as top ends `ready`, and goes on. */
export const commit = (merge: Merge, nodes: MergeNodes): QmpCommand => ({
  command: 'block-commit',
  args: {
    'job-id': merge.job,
    device: nodes.head,
    'top-node': nodes.top,
    ...(nodes.base ? { 'base-node': nodes.base } : {}),
    // Only an image above the top has a header that must name the base.
    ...(nodes.top !== nodes.head && merge.base ? { 'backing-file': merge.base.path } : {}),
    ...lasting,
  },
});

/** The block nodes that a merge is about. */
export interface MergeNodes {
  readonly head: string;
  readonly top: string;
  readonly base: string | null;
}

/**
 * Writes out what QEMU holds of an image in its own memory, and syncs it. QMP has no flush. Without
 * it a stream that has concluded is lost with the process: the header names the new base already, but
 * not all tables that lead to the copied data are in the file (measured on 7.2 with SIGKILL).
 */
export const flush = (node: string): QmpCommand => ({
  command: 'human-monitor-command',
  args: { 'command-line': `qemu-io ${node} flush` },
});

export const jobCommand = (
  what: 'job-complete' | 'job-finalize' | 'job-dismiss' | 'job-cancel' | 'job-resume',
  id: string,
): QmpCommand => ({ command: what, args: { id } });

/** A command as a plan shows it. */
export const shown = ({ command, args }: QmpCommand): Command => ({
  tool: 'qmp',
  command: { execute: command, ...(args ? { arguments: args } : {}) },
});
