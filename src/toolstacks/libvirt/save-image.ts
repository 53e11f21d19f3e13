import { endianness } from 'node:os';

// Libvirt's own form of saved memory: `virsh restore` takes it, with or without domsnap. A head with the
// domain's description, and behind it what QEMU writes (libvirt: src/qemu/qemu_saveimage.h).

const MAGIC = 'LibvirtQemudSave';
const VERSION = 2;
/** Magic; version, length of the data, was it running, compression, cookie's offset; 14 unused words. */
const HEADER_BYTES = 16 + 5 * 4 + 14 * 4;

/** The head of an image; the description must be one that libvirt itself would send to another host. */
export function saveImageHead(description: string, wasRunning: boolean): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const xml = Buffer.from(`${description.trim()}\0`, 'utf8');
  header.write(MAGIC, 'latin1');
  // In the byte order of the host: libvirt swaps what another one has written.
  const words = [VERSION, xml.length, wasRunning ? 1 : 0, 0, 0];
  words.forEach((word, index) => {
    if (endianness() === 'LE') header.writeUInt32LE(word, 16 + 4 * index);
    else header.writeUInt32BE(word, 16 + 4 * index);
  });
  return Buffer.concat([header, xml]);
}
