import { isAbsolute } from 'node:path';
import { z } from 'zod';

/** Formats of images that QEMU can run a disk from; always named to it, never probed. */
export const DISK_FORMATS = [
  'raw',
  'qcow2',
  'qcow',
  'qed',
  'vmdk',
  'vdi',
  'vhdx',
  'vpc',
  'parallels',
] as const;

/**
 * Options that are domsnap's own to give, that would open an image behind its back, or that would
 * take the process or its state away from it.
 */
const REFUSED =
  /^-{1,2}(blockdev|drive|hd[abcd]|cdrom|fda|fdb|mtdblock|pflash|sd|readconfig|qmp|qmp-pretty|incoming|S|snapshot|daemonize|name|pidfile|loadvm)$/;

// sockaddr_un holds 108 bytes, with the terminating zero (unix(7)).
const SOCKET_BYTES = 107;

const pathText = z
  .string()
  .min(1)
  .refine(path => !/\p{Cc}/u.test(path), 'holds a control character');

const argument = z
  .string()
  .refine(text => !text.includes('\0'), 'holds a zero byte')
  .refine(text => !REFUSED.test(text), {
    error: issue => `${String(issue.input)} is not for a domain file: domsnap gives it itself`,
  });

const disk = z.strictObject({
  device: z
    .string()
    .regex(
      /^[A-Za-z][A-Za-z0-9_-]{0,19}$/,
      'is not 1 to 20 letters, digits, - or _, a letter first',
    ),
  path: pathText,
  format: z.enum(DISK_FORMATS),
  attach: z
    .string()
    .regex(/^[A-Za-z][^{}\p{Cc}]*$/u, 'is not the name of a device model, with properties')
    .refine(text => !/,(drive|id)=/.test(text), 'names a drive or an id: domsnap gives them itself')
    .default('virtio-blk-pci'),
});

/** What a domain file says, its paths still as they are written. */
export const DomainFile = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$/, 'is not 1 to 64 letters, digits or _ . + -'),
  binary: z
    .string()
    .regex(/^[^-\p{Cc}][^\p{Cc}]*$/u, 'is not the name or path of a program')
    .default('qemu-system-x86_64'),
  arguments: z.array(argument),
  disks: z
    .array(disk)
    .min(1)
    .refine(disks => new Set(disks.map(({ device }) => device)).size === disks.length, {
      error: 'two disks have the same device',
    }),
  monitor: pathText,
  agent: pathText.optional(),
});

/** How a domain under plain QEMU is made; all paths absolute. */
export const QemuDomainConfig = DomainFile.refine(
  ({ disks, monitor, agent }) => paths(disks, monitor, agent).every(isAbsolute),
  {
    error: 'a path is not absolute',
  },
)
  .refine(({ monitor, agent }) => [monitor, agent ?? ''].every(fitsSocket), {
    error: `a socket's path is longer than ${SOCKET_BYTES} bytes`,
  })
  .refine(({ disks }) => new Set(disks.map(({ path }) => path)).size === disks.length, {
    path: ['disks'],
    error: 'two disks have the same path',
  });
export type QemuDomainConfig = z.infer<typeof QemuDomainConfig>;

const paths = (disks: readonly { path: string }[], monitor: string, agent: string | undefined) => [
  ...disks.map(({ path }) => path),
  monitor,
  ...(agent === undefined ? [] : [agent]),
];

const fitsSocket = (path: string): boolean => Buffer.byteLength(path) <= SOCKET_BYTES;
