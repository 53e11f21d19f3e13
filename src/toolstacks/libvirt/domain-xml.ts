import { DOMParser, type Document, type Element, XMLSerializer } from '@xmldom/xmldom';
import type { Volume } from '../../catalog/model.ts';
import { StepError } from '../../engine/step.ts';
import type { Overlay } from '../port.ts';
import { NO_POOLS, type Pools, pathOfVolume } from './pools.ts';

/** A disk that the guest may write to, as a domain's description names it. */
export interface DescribedDisk {
  /** `vda`: the target's name. */
  readonly device: string;
  /** What QEMU calls it; null in the description of a domain that is off. */
  readonly alias: string | null;
  readonly volume: Volume;
}

/** A disk that no snapshot can hold, and why. */
export interface OtherDisk {
  readonly device: string;
  readonly why: string;
}

/** What domsnap reads of a domain's description (formatdomain(7) of libvirt). */
export interface Description {
  readonly name: string;
  readonly uuid: string;
  readonly disks: readonly DescribedDisk[];
  readonly others: readonly OtherDisk[];
  readonly hasAgent: boolean;
  /** AppArmor confines its QEMU; so only the description of a running domain can say. */
  readonly hasProfile: boolean;
  readonly memoryBytes: number;
}

/** Read a description, which may name volumes of these pools. Throws StepError `bad-description`. */
export function readDescription(xml: string, pools: Pools = NO_POOLS): Description {
  const domain = rootOf(xml);
  return {
    name: text(domain, 'name'),
    uuid: text(domain, 'uuid'),
    ...readDisks(domain, pools),
    hasAgent: channelsOf(domain).includes('org.qemu.guest_agent.0'),
    hasProfile: children(domain, 'seclabel').some(isProfile),
    memoryBytes: memoryOf(domain),
  };
}

/** The disks of a description that is part of another document. */
export function readDisks(
  domain: Element,
  pools: Pools = NO_POOLS,
): Pick<Description, 'disks' | 'others'> {
  const disks: DescribedDisk[] = [];
  const others: OtherDisk[] = [];
  for (const disk of disksOf(domain)) {
    const device = child(disk, 'target')?.getAttribute('dev') ?? '';
    const read = readDisk(disk, pools);
    if (typeof read === 'string') others.push({ device, why: read });
    else if (read) {
      disks.push({
        device,
        alias: child(disk, 'alias')?.getAttribute('name') ?? null,
        volume: read,
      });
    }
  }
  return { disks, others };
}

/**
 * The description with these heads instead of its own; all else stays as it is. A volume of a pool becomes
 * a plain file or device: an overlay beside it is none that the pool knows of.
 */
export function withHeads(xml: string, heads: readonly Overlay[]): string {
  const domain = rootOf(xml);
  for (const disk of disksOf(domain)) {
    const device = child(disk, 'target')?.getAttribute('dev');
    const head = heads.find(one => one.device === device)?.volume;
    if (head) setHead(disk, head);
  }
  return new XMLSerializer().serializeToString(domain);
}

function readDisk(disk: Element, pools: Pools): Volume | string | undefined {
  const kind = disk.getAttribute('device') ?? 'disk';
  if (kind === 'cdrom' || kind === 'floppy') return undefined;
  if (child(disk, 'readonly')) return undefined;
  const where = pathOf(disk, pools);
  if ('why' in where) return where.why;
  const { path } = where;
  if (child(disk, 'transient')) return 'it is transient: libvirt forgets what is written to it';
  const format = child(disk, 'driver')?.getAttribute('type');
  // libvirt takes a disk that names none for raw (qemu.conf, allow_disk_format_probing is gone).
  return { path, format: format || 'raw' };
}

function pathOf(disk: Element, pools: Pools): { readonly path: string } | { readonly why: string } {
  const type = disk.getAttribute('type') ?? '';
  const source = child(disk, 'source');
  const of = (name: string): string => source?.getAttribute(name) ?? '';
  if (type === 'volume') return pathOfVolume(pools, of('pool'), of('volume'));
  const path = type === 'file' ? of('file') : type === 'block' ? of('dev') : '';
  if (path) return { path };
  return { why: `it is of the type ${type || 'unknown'}, and has no path on this host` };
}

/** A disk that is a volume names the file that has taken its place; false where none has. */
export function moveVolume(
  disk: Element,
  replaced: ReadonlyMap<string, string>,
  pools: Pools,
): boolean {
  const where = disk.getAttribute('type') === 'volume' ? pathOf(disk, pools) : { why: '' };
  const path = 'why' in where ? undefined : replaced.get(where.path);
  if (path === undefined) return false;
  setHead(disk, { path, format: child(disk, 'driver')?.getAttribute('type') || 'raw' });
  return true;
}

function setHead(disk: Element, { path, format }: Volume): void {
  const source = child(disk, 'source');
  if (!source) throw broken('a disk has no source');
  const isBlock = path.startsWith('/dev/');
  disk.setAttribute('type', isBlock ? 'block' : 'file');
  for (const name of ['file', 'dev', 'pool', 'volume', 'mode', 'index', 'startupPolicy']) {
    source.removeAttribute(name);
  }
  source.setAttribute(isBlock ? 'dev' : 'file', path);
  // What libvirt had found below the old head is not below the new one.
  for (const name of ['backingStore', 'mirror']) {
    for (const one of children(disk, name)) disk.removeChild(one);
  }
  child(disk, 'driver')?.setAttribute('type', format);
}

function memoryOf(domain: Element): number {
  const memory = child(domain, 'memory');
  const units: Record<string, number> = { b: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
  const unit = units[memory?.getAttribute('unit') ?? 'KiB'] ?? 2 ** 10;
  return Number(memory?.textContent?.trim() ?? 0) * unit;
}

const isProfile = (label: Element): boolean =>
  label.getAttribute('model') === 'apparmor' && text(label, 'label') !== '';

const channelsOf = (domain: Element): string[] =>
  devicesOf(domain, 'channel').flatMap(
    channel => child(channel, 'target')?.getAttribute('name') ?? [],
  );

const disksOf = (domain: Element): Element[] => devicesOf(domain, 'disk');

const devicesOf = (domain: Element, name: string): Element[] =>
  children(domain, 'devices').flatMap(devices => children(devices, name));

/** The text of the first child of this name; empty where there is none. */
export const text = (element: Element, name: string): string =>
  child(element, name)?.textContent?.trim() ?? '';

/** The first child of this name. */
export const child = (element: Element, name: string): Element | undefined =>
  children(element, name)[0];

/** The children of this name, in their order. */
export const children = (element: Element, name: string): Element[] =>
  [...element.childNodes].filter(
    (node): node is Element =>
      node.nodeType === node.ELEMENT_NODE && (node as Element).tagName === name,
  );

/** The outermost element of a well-formed document. Throws StepError `bad-description`. */
export function rootOf(xml: string): Element {
  let document: Document;
  try {
    const onError = (level: string, message: string) => {
      if (level !== 'warning') throw new Error(message);
    };
    document = new DOMParser({ onError }).parseFromString(xml, 'text/xml');
  } catch (cause) {
    throw broken(cause instanceof Error ? cause.message : String(cause));
  }
  const root = document.documentElement;
  if (!root) throw broken('it is empty');
  return root;
}

const broken = (why: string): StepError =>
  new StepError('bad-description', `libvirt's description cannot be read: ${why}`, {
    retryable: false,
  });
