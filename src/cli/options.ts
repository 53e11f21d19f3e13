import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { AskedMode } from '../plan/request.ts';
import type { Room } from '../plan/volumes.ts';
import { type GlobalOptions, type Invocation, invocation } from './invocation.ts';

// Light on purpose: all of this runs before any command does.

/** What a command knows of how it was called. */
export function callOf(command: { optsWithGlobals(): unknown }): Invocation {
  return invocation(command.optsWithGlobals() as GlobalOptions);
}

/** `--wait [seconds]`. */
export const waitOption = () =>
  new Option(
    '--wait [seconds]',
    'queue behind another operation on the domain (default: without limit)',
  ).argParser(seconds);

/** `--connect URI`. */
export const connectOption = () =>
  new Option(
    '--connect <uri>',
    'the libvirt to ask for a domain that is new here, as virsh --connect',
  );

/** `--reason TEXT`. */
export const reasonOption = () => new Option('--reason <text>', 'why, for the audit');

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError(
      'It is not a number of seconds: put --wait last, or write --wait=60.',
    );
  }
  return value;
}

/** `--disk vda=internal`, once for each disk. */
export const diskOption = () =>
  new Option(
    '--disk <disk=mode>',
    'for one disk: internal, external, vhd (a VHD over a VHD, while it is off) or none (repeatable)',
  ).argParser(collectDisk);

const MODES = ['internal', 'external', 'vhd', 'none'] as const satisfies readonly AskedMode[];

function collectDisk(
  text: string,
  before: Readonly<Record<string, AskedMode>> | undefined,
): Record<string, AskedMode> {
  const [device, mode, ...rest] = text.split('=');
  const known = MODES.find(one => one === mode);
  if (!device || !known || rest.length > 0) {
    throw new InvalidArgumentError('It is DISK=internal, DISK=external, DISK=vhd or DISK=none.');
  }
  if (before && device in before) throw new InvalidArgumentError(`${device} is named twice.`);
  return { ...before, [device]: known };
}

/** `--lvm-size 20%` or `--lvm-size 10G`. */
export const lvmSizeOption = () =>
  new Option(
    '--lvm-size <size>',
    'room of snapshots of logical volumes that are not thin: 20% or 10G (default: all)',
  ).argParser(roomOf);

function roomOf(text: string): Room {
  const found = /^(\d{1,12})(%|[KMGT]?)$/i.exec(text);
  const number = Number(found?.[1] ?? 0);
  const unit = (found?.[2] ?? '').toUpperCase();
  if (!found || number === 0 || (unit === '%' && number > 100)) {
    throw new InvalidArgumentError(
      'It is a share of the volume, as 20%, or a size, as 512M or 10G.',
    );
  }
  if (unit === '%') return { percent: number };
  return { bytes: number * 1024 ** (unit === '' ? 0 : 'KMGT'.indexOf(unit) + 1) };
}

/** Examples below a command's help; each is a command line and what it does. */
export function examples(...lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([line]) => line.length));
  return ['', 'Examples:', ...lines.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`)].join(
    '\n',
  );
}
