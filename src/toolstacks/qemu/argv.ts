import { basename } from 'node:path';
import type { Volume } from '../../catalog/model.ts';
import { StepError } from '../../engine/step.ts';
import type { Overlay } from '../port.ts';
import type { QemuDomainConfig } from './domain-config.ts';

/** What a start needs to know beside the domain file. */
export interface StartOptions {
  readonly heads: readonly Overlay[];
  /** The guest stands still until it is resumed. */
  readonly paused: boolean;
  /** Wait for saved memory. */
  readonly incoming: boolean;
  /** QEMU locks it before all else: a second process of the domain ends before it can do harm. */
  readonly pidFile: string;
  readonly isBlockDevice: (path: string) => boolean;
}

/** QEMU's argument vector. Throws StepError `no-head` where a disk has none. */
export function startArgv(
  config: QemuDomainConfig,
  options: StartOptions,
): readonly [string, ...string[]] {
  const { paused, incoming, pidFile } = options;
  return [
    config.binary,
    ...config.arguments,
    ...['-name', config.name, '-pidfile', pidFile],
    ...['-chardev', socket('domsnap-monitor', config.monitor)],
    ...['-mon', 'chardev=domsnap-monitor,mode=control'],
    ...(config.agent === undefined ? [] : agentArguments(config.agent)),
    ...config.disks.flatMap(({ device, attach }) => [
      ...['-blockdev', blockdev(device, headOf(device, options.heads), options.isBlockDevice)],
      ...['-device', `${attach},drive=${device},id=${device}`],
    ]),
    ...(paused || incoming ? ['-S'] : []),
    ...(incoming ? ['-incoming', 'defer'] : []),
  ];
}

/** How a volume is opened: format and protocol named, one node within the other, locked. */
export function blockdevOptions(
  nodeName: string,
  { path, format }: Volume,
  isBlockDevice: (path: string) => boolean,
) {
  const driver = isBlockDevice(path) ? 'host_device' : 'file';
  return {
    driver: format,
    'node-name': nodeName,
    file: { driver, filename: path, locking: 'on' },
  } as const;
}

/** Commas end a value in QEMU's option strings; a doubled one is a comma. */
const socket = (id: string, path: string): string =>
  `socket,id=${id},path=${path.replaceAll(',', ',,')},server=on,wait=off`;

/** What QEMU knows the agent's port by. */
export const AGENT_PORT = 'domsnap-agent';

const agentArguments = (path: string): string[] => [
  ...['-chardev', socket(AGENT_PORT, path)],
  ...['-device', 'virtio-serial,id=domsnap-serial'],
  ...['-device', `virtserialport,chardev=${AGENT_PORT},name=org.qemu.guest_agent.0`],
];

function blockdev(device: string, head: Volume, isBlockDevice: (path: string) => boolean): string {
  return JSON.stringify(blockdevOptions(device, head, isBlockDevice));
}

function headOf(device: string, heads: readonly Overlay[]): Volume {
  const head = heads.find(one => one.device === device);
  if (head) return head.volume;
  throw new StepError('no-head', `no image is given for the disk ${device}`, { retryable: false });
}

/**
 * What an argument vector says of the machine that the guest sees, in order: not where images and
 * sockets are, nor how the process was told to begin. Equal for a domain file and for the process
 * that was started from it.
 */
export function machineOf(argv: readonly string[]): string[] {
  const [binary = '', ...rest] = argv;
  return [basename(binary), ...optionsOf(rest).flatMap(seenByGuest)];
}

type Option = readonly [name: string, value: string | null];

/** QEMU takes `--device` for `-device`. None of its values begins with a dash. */
function optionsOf(argv: readonly string[]): Option[] {
  const options: [string, string | null][] = [];
  for (const word of argv) {
    const last = options.at(-1);
    if (word.startsWith('-')) options.push([word.replace(/^--/, '-'), null]);
    else if (last && last[1] === null) last[1] = word;
    else options.push(['', word]);
  }
  return options;
}

const HOST_ONLY = new Set([
  '-name',
  '-pidfile',
  '-chardev',
  '-mon',
  '-qmp',
  '-qmp-pretty',
  '-monitor',
  '-blockdev',
  '-S',
  '-incoming',
  '-daemonize',
  '-D',
  '-d',
  '-trace',
  '-msg',
]);

function seenByGuest([name, value]: Option): string[] {
  if (HOST_ONLY.has(name)) return [];
  if (value === null) return [name];
  if (name === '-drive') return [name, value.replace(/(^|,)file=([^,]|,,)*/, '$1')];
  if (name !== '-device') return [name, value];
  return [name, value.replace(/,drive=([^,]|,,)*/, '')];
}
