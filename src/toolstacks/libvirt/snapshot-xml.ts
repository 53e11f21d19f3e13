import { DOMImplementation, type Document, type Element, XMLSerializer } from '@xmldom/xmldom';
import type { Snapshot, SnapshotDisk } from '../../catalog/model.ts';
import type { Overlay, RecordedSnapshot } from '../port.ts';
import { child, children, moveVolume, readDisks, rootOf, text, withHeads } from './domain-xml.ts';
import { NO_POOLS, type Pools } from './pools.ts';

// Libvirt's records of snapshots (formatsnapshot(7) of libvirt): what `virsh snapshot-dumpxml` says, and
// what `virsh snapshot-create --redefine` takes.

/** Read a record, whose domain may name volumes of these pools. Throws StepError `bad-description`. */
export function readRecord(
  xml: string,
  pools: Pools = NO_POOLS,
): Omit<RecordedSnapshot, 'deviceDigest'> {
  const root = rootOf(xml);
  const name = text(root, 'name');
  const state = text(root, 'state');
  const parent = child(root, 'parent');
  const described = child(root, 'domain');
  const images = described ? readDisks(described, pools).disks : [];
  const listed = child(root, 'disks');
  const modes = new Map(
    (listed ? children(listed, 'disk') : []).map(disk => [
      disk.getAttribute('name') ?? '',
      disk.getAttribute('snapshot') ?? '',
    ]),
  );
  const disks = images.map(({ device, volume }): SnapshotDisk => {
    // A record from before disks were listed is of an internal snapshot.
    const mode = listed ? modes.get(device) : 'internal';
    if (mode === 'external') return { device, mode, image: volume };
    if (mode === 'internal') return { device, mode, image: volume, tag: name };
    return { device, mode: 'none', image: volume };
  });
  return {
    name,
    parent: parent ? text(parent, 'name') : null,
    createdAt: Number(text(root, 'creationTime')) * 1000,
    description: text(root, 'description'),
    disks,
    memory: memoryOf(root, state),
    runState: state === 'shutoff' ? 'off' : state === 'paused' ? 'paused' : 'running',
  };
}

function memoryOf(root: Element, state: string): RecordedSnapshot['memory'] {
  const memory = child(root, 'memory');
  const kind = memory?.getAttribute('snapshot');
  const file = memory?.getAttribute('file');
  if (kind === 'external' && file) return { file };
  const internal = kind === 'internal' || (!memory && (state === 'running' || state === 'paused'));
  return internal ? { file: null } : null;
}

/** What a record is made of. */
export interface RecordSource {
  readonly snapshot: Snapshot;
  /** The nearest ancestor that libvirt knows. */
  readonly parent: string | null;
  /** The images that its external disks have been written to since. */
  readonly overlays: readonly Overlay[];
  /** The domain's description. */
  readonly domain: string;
}

/** Write a record of a snapshot of domsnap's. */
export function writeRecord({ snapshot, parent, overlays, domain }: RecordSource): string {
  const { name, description, createdAt, memory, disks, consistency } = snapshot;
  const document = new DOMImplementation().createDocument(null, 'domainsnapshot');
  const root = document.documentElement!;
  const external = disks.some(({ mode }) => mode === 'external');
  const state = memory
    ? memory.runState
    : consistency === 'offline' || !external
      ? 'shutoff'
      : 'disk-snapshot';
  append(root, 'name', {}, name);
  if (description) append(root, 'description', {}, description);
  append(root, 'state', {}, state);
  append(root, 'creationTime', {}, String(Math.floor(createdAt / 1000)));
  if (parent !== null) append(append(root, 'parent', {}), 'name', {}, parent);
  append(root, 'memory', memory ? { snapshot: 'external', file: memory.path } : { snapshot: 'no' });
  const list = append(root, 'disks', {});
  for (const { device, mode } of disks) {
    const disk = append(list, 'disk', { name: device, snapshot: mode === 'none' ? 'no' : mode });
    const overlay = overlays.find(one => one.device === device)?.volume;
    if (mode !== 'external' || !overlay) continue;
    disk.setAttribute('type', 'file');
    append(disk, 'driver', { type: overlay.format });
    append(disk, 'source', { file: overlay.path });
  }
  const heads = disks
    .filter(({ mode }) => mode !== 'none')
    .map(({ device, image }) => ({ device, volume: image }));
  const described = rootOf(withHeads(domain, heads));
  root.appendChild(document.importNode(described, true));
  return new XMLSerializer().serializeToString(document);
}

/** A record in which other files have taken the place of some; null where it names none of them. */
export function withFiles(
  xml: string,
  replaced: ReadonlyMap<string, string>,
  pools: Pools = NO_POOLS,
): string | null {
  const root = rootOf(xml);
  let found = false;
  const visit = (element: Element): void => {
    const now = replaced.get(element.getAttribute('file') ?? '');
    if (now !== undefined) element.setAttribute('file', now);
    if (now !== undefined || (element.tagName === 'disk' && moveVolume(element, replaced, pools))) {
      found = true;
    }
    for (const node of [...element.childNodes]) {
      if (node.nodeType === node.ELEMENT_NODE) visit(node as Element);
    }
  };
  visit(root);
  return found ? new XMLSerializer().serializeToString(root) : null;
}

function append(
  parent: Element,
  name: string,
  attributes: Readonly<Record<string, string>>,
  content = '',
): Element {
  const document = parent.ownerDocument as Document;
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (content !== '') element.appendChild(document.createTextNode(content));
  parent.appendChild(element);
  return element;
}
