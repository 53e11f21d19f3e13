import type { LabDisk } from '../../../src/lab/lab-disk.ts';
import type { CreateRequest } from '../../../src/plan/request.ts';

/** One way to hold a domain's snapshots: a column of the README's table of cases. */
export interface Storage {
  readonly name: 'overlay' | 'qcow2-internal' | 'mixed';
  /** How the ids of its cases end. */
  readonly ending: 'external' | 'internal';
  readonly disks: readonly LabDisk[];
  /** What a create is asked for. */
  readonly create: Pick<CreateRequest, 'disks' | 'disk'>;
}

const MIB = 1024 * 1024;

/** Small, since every content is read again after every operation. */
const disksOf = (format: string, vdaMib = 16, vdbMib = 4): readonly LabDisk[] => [
  { device: 'vda', format: 'qcow2', content: 'fs', sizeBytes: vdaMib * MIB },
  { device: 'vdb', format, content: 'raw', sizeBytes: vdbMib * MIB },
];

/** Overlays over a qcow2 and over a raw image. */
export const OVERLAY: Storage = {
  name: 'overlay',
  ending: 'external',
  disks: disksOf('raw'),
  create: { disks: 'external' },
};

/** Tags in two qcow2 images. */
export const INTERNAL: Storage = {
  name: 'qcow2-internal',
  ending: 'internal',
  disks: disksOf('qcow2'),
  create: { disks: 'internal' },
};

/** A tag in one disk, and an overlay over the other, in the same snapshot. */
export const MIXED: Storage = {
  name: 'mixed',
  ending: 'external',
  disks: disksOf('raw'),
  create: { disk: { vda: 'internal', vdb: 'external' } },
};

/** Disks with room for what makes one merge cheaper than another. */
export const ROOMY: Storage = { ...INTERNAL, disks: disksOf('qcow2', 48, 32) };
