import { createHash } from 'node:crypto';

/** What domsnap's own block nodes begin with. */
const PREFIX = 'ds-';

/**
 * The block node of an overlay: the same for the same file in every life of domsnap, so that nothing
 * needs to be looked up while the guest stands still. QEMU takes at most 31 characters.
 */
export function overlayNode(device: string, path: string): string {
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 16);
  return `${PREFIX}${device.slice(0, 11)}-${digest}`;
}

/** Whether domsnap gave the node its name: as an overlay, or as a disk's first head. */
export function isOwnNode(name: string, devices: readonly string[]): boolean {
  return name.startsWith(PREFIX) || devices.includes(name);
}
