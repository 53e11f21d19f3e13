import { z } from 'zod';

/** The image formats that domsnap names to QEMU; a format outside this list is refused. */
export const imageFormat = z.enum([
  'raw',
  'qcow2',
  'qcow',
  'qed',
  'vdi',
  'vmdk',
  'vhdx',
  'vpc',
  'parallels',
  'luks',
]);
export type ImageFormat = z.infer<typeof imageFormat>;
