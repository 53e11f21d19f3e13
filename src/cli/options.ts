import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { DiskMode } from '../catalog/model.ts';
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
    'for one disk: internal, external or none (repeatable)',
  ).argParser(collectDisk);

function collectDisk(
  text: string,
  before: Readonly<Record<string, DiskMode>> | undefined,
): Record<string, DiskMode> {
  const [device, mode, ...rest] = text.split('=');
  const known = mode === 'internal' || mode === 'external' || mode === 'none';
  if (!device || !known || rest.length > 0) {
    throw new InvalidArgumentError('It is DISK=internal, DISK=external or DISK=none.');
  }
  if (before && device in before) throw new InvalidArgumentError(`${device} is named twice.`);
  return { ...before, [device]: mode };
}

/** Examples below a command's help; each is a command line and what it does. */
export function examples(...lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([line]) => line.length));
  return ['', 'Examples:', ...lines.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`)].join(
    '\n',
  );
}
