import type { DiskMode } from '../catalog/model.ts';
import type { RevertInput } from '../steps/input.ts';
import type { Room } from './volumes.ts';

/** What a user asks for, as typed; nothing is decided yet. */
export type Request = CreateRequest | RevertRequest | DeleteRequest;

/** How one disk is asked to be held. `vhd`: external, its next head a VHD that stands on this one. */
export type AskedMode = DiskMode | 'vhd';

/** `domsnap create`. */
export interface CreateRequest {
  readonly operation: 'create';
  readonly domain: string;
  readonly name?: string | undefined;
  readonly memory?: 'live' | 'paused' | 'none' | undefined;
  readonly disks?: 'auto' | 'internal' | 'external' | undefined;
  /** Per disk, above `disks`. */
  readonly disk?: Readonly<Record<string, AskedMode>> | undefined;
  readonly quiesce?: 'require' | 'try' | 'no' | undefined;
  readonly description?: string | undefined;
  /** How much room snapshots of logical volumes get that are not thin; by default enough for all of them. */
  readonly room?: Room | undefined;
}

/** `domsnap revert`. */
export interface RevertRequest {
  readonly operation: 'revert';
  readonly domain: string;
  readonly name: string;
  readonly runAfter?: 'running' | 'paused' | 'off' | undefined;
  /** As in a create: what logical volumes hold now is kept in snapshots. */
  readonly room?: Room | undefined;
  /** The checkpoint that was taken right before it. */
  readonly safety?: RevertInput['safety'];
  /** The revert that this one takes back. */
  readonly undoes?: RevertInput['undoes'];
}

/** `domsnap delete`. */
export interface DeleteRequest {
  readonly operation: 'delete';
  readonly domain: string;
  readonly name: string;
  readonly extent?: 'one' | 'children' | 'children-only' | undefined;
  /** Rather write what stands on the victim down into it, so that the heads come to lie where they were. */
  readonly back?: boolean | undefined;
}
