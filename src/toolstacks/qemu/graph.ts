import { resolve } from 'node:path';
import { z } from 'zod';
import type { Volume } from '../../catalog/model.ts';
import type { LiveDisk } from '../port.ts';
import type { Query } from './query.ts';

const block = z.lazy(() =>
  z.object({
    device: z.string(),
    qdev: z.string().optional(),
    inserted: z.object({ 'node-name': z.string(), ro: z.boolean() }).optional(),
  }),
);
type Block = z.infer<typeof block>;

export const queryBlock: Query<Block[]> = {
  command: 'query-block',
  schema: z.array(block).max(10_000),
};

const namedNode = z.lazy(() =>
  z.object({
    'node-name': z.string(),
    drv: z.string(),
    file: z.string(),
    image: z.object({ snapshots: z.array(z.object({ name: z.string() })).optional() }),
  }),
);

export const queryNodes: Query<z.infer<typeof namedNode>[]> = {
  command: 'query-named-block-nodes',
  args: { flat: true },
  schema: z.array(namedNode).max(100_000),
};

const graph = z.lazy(() =>
  z.object({
    nodes: z.array(z.object({ id: z.number(), type: z.string(), name: z.string() })),
    edges: z.array(z.object({ parent: z.number(), child: z.number(), name: z.string() })),
  }),
);

/** The only question whose answer says which node stands on which (since 4.0). */
export const queryGraph: Query<z.infer<typeof graph>> = {
  command: 'x-debug-query-block-graph',
  schema: graph,
};

/** One image that QEMU has open. */
export interface ImageNode {
  readonly name: string;
  readonly volume: Volume;
  readonly tags: readonly string[];
  /** Something stands on it or uses it. */
  readonly used: boolean;
}

/** All of QEMU's images at one moment. */
export interface BlockView {
  /** The images of each device, head first. */
  readonly chains: Readonly<Record<string, readonly ImageNode[]>>;
  readonly images: readonly ImageNode[];
  /** Other devices with an image that the guest may write to. */
  readonly strangers: readonly string[];
}

/** The block device with this id, by its path in the device tree or as an old style drive. */
export function findDevice(blocks: readonly Block[], device: string): Block | undefined {
  return blocks.find(
    ({ qdev = '', device: drive }) =>
      qdev === device ||
      qdev.endsWith(`/peripheral/${device}`) ||
      qdev.includes(`/peripheral/${device}/`) ||
      drive === device,
  );
}

/** Puts the three answers together. `idOf`: what QEMU calls a device. `folder`: from where QEMU understands relative paths. */
export function blockView(
  devices: readonly string[],
  idOf: (device: string) => string,
  blocks: readonly Block[],
  nodes: z.infer<typeof queryNodes.schema>,
  { nodes: vertices, edges }: z.infer<typeof graph>,
  folder: string,
): BlockView {
  const nameOf = new Map(vertices.map(({ id, name }) => [id, name]));
  const used = new Set(edges.map(({ child }) => nameOf.get(child)));
  const nodeOf = new Map(nodes.map(node => [node['node-name'], node]));
  const childOf = (name: string, edge: string): string | undefined => {
    const parents = vertices.filter(one => one.name === name && one.type === 'block-driver');
    const ids = new Set(parents.map(({ id }) => id));
    const found = edges.find(one => ids.has(one.parent) && one.name === edge);
    return found && nameOf.get(found.child);
  };
  const pathOf = (name: string): string => {
    const below = childOf(name, 'file');
    return below === undefined ? resolve(folder, nodeOf.get(name)?.file ?? '') : pathOf(below);
  };
  const imageOf = (name: string): ImageNode => {
    const node = nodeOf.get(name)!;
    // A protocol that stands there without a format is a raw image.
    const format = PROTOCOLS.has(node.drv) ? 'raw' : node.drv;
    const tags = (node.image.snapshots ?? []).map(snapshot => snapshot.name);
    return { name, volume: { path: pathOf(name), format }, tags, used: used.has(name) };
  };
  const chain = (name: string | undefined): ImageNode[] => {
    const node = name === undefined ? undefined : nodeOf.get(name);
    if (name === undefined || !node) return [];
    const below = childOf(name, 'backing');
    if (FILTERS.has(node.drv)) return chain(below ?? childOf(name, 'file'));
    return [imageOf(name), ...chain(below)];
  };
  const known = new Set(devices.map(device => findDevice(blocks, idOf(device))));
  const named = nodes.filter(
    ({ drv, 'node-name': name }) => !FILTERS.has(drv) && (!PROTOCOLS.has(drv) || !used.has(name)),
  );
  return {
    chains: Object.fromEntries(
      devices.map(device => [
        device,
        chain(findDevice(blocks, idOf(device))?.inserted?.['node-name']),
      ]),
    ),
    images: named.map(node => imageOf(node['node-name'])),
    strangers: blocks
      .filter(one => one.qdev && one.inserted && !one.inserted.ro && !known.has(one))
      .map(({ qdev = '', device }) => device || (qdev.match(/\/peripheral\/([^/]+)/)?.[1] ?? qdev)),
  };
}

const PROTOCOLS = new Set([
  'file',
  'host_device',
  'nbd',
  'null-co',
  'null-aio',
  'nvme',
  'io_uring',
]);

/** Nodes that stand between images without being one; jobs put some there. */
const FILTERS = new Set([
  'mirror_top',
  'commit_top',
  'backup-top',
  'copy-before-write',
  'copy-on-read',
  'throttle',
  'compress',
  'preallocate',
  'blkdebug',
  'blklogwrites',
  'blkreplay',
  'blkverify',
]);

/** The chains as the port shows them. */
export const liveDisksOf = ({ chains }: BlockView): LiveDisk[] =>
  Object.entries(chains).map(([device, chain]) => ({
    device,
    chain: chain.map(({ volume }) => volume),
  }));
