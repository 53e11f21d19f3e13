import type { CreateRequest } from '../plan/request.ts';
import type { Errand } from './contest.ts';
import { DOMAIN } from './lab-guest.ts';

/** A case of create, and how to get it. */
export interface CreateCase {
  readonly id: string;
  readonly live: boolean;
  /** Only in a QEMU process that is taken for one that cannot capture in the background. */
  readonly withoutBackground: boolean;
  readonly wish: Pick<CreateRequest, 'memory' | 'disks' | 'quiesce'>;
  /** What makes it differ from another of the same case. */
  readonly note?: string;
}

const checkpoint = (
  capture: 'background' | 'precopy' | 'paused',
  disks: 'external' | 'internal',
): CreateCase => ({
  id: `create.live.${capture}.${disks}`,
  live: true,
  withoutBackground: capture === 'precopy',
  wish: { memory: capture === 'paused' ? 'paused' : 'live', disks },
});

const diskOnly = (live: boolean, disks: 'external' | 'internal'): CreateCase => ({
  id: `create.${live ? 'live' : 'offline'}.disk-only.${disks}`,
  live,
  withoutBackground: false,
  wish: { memory: 'none', disks, quiesce: 'no' },
});

/** Every case of create. */
export const CREATE_CASES: readonly CreateCase[] = [
  checkpoint('background', 'external'),
  checkpoint('background', 'internal'),
  checkpoint('precopy', 'external'),
  checkpoint('precopy', 'internal'),
  checkpoint('paused', 'external'),
  checkpoint('paused', 'internal'),
  diskOnly(true, 'external'),
  {
    ...diskOnly(true, 'external'),
    wish: { memory: 'none', disks: 'external', quiesce: 'require' },
    note: 'guest frozen',
  },
  diskOnly(true, 'internal'),
  diskOnly(false, 'external'),
  diskOnly(false, 'internal'),
];

/** The errand to make a snapshot in the way of a case. */
export function createErrand({ wish }: CreateCase, name: string): Errand {
  const { memory, disks, quiesce } = wish;
  return {
    request: { operation: 'create', domain: DOMAIN, name, ...wish },
    args: [
      ...['create', DOMAIN, name],
      ...(memory ? ['--memory', memory] : []),
      ...(disks ? ['--disks', disks] : []),
      ...(quiesce ? ['--quiesce', quiesce] : []),
    ],
  };
}

/** The errand to delete one. */
export const deleteErrand = (name: string): Errand => ({
  request: { operation: 'delete', domain: DOMAIN, name },
  args: ['delete', DOMAIN, name],
});

/** The errand to revert to one. */
export const revertErrand = (name: string): Errand => ({
  request: { operation: 'revert', domain: DOMAIN, name },
  args: ['revert', DOMAIN, name],
});
