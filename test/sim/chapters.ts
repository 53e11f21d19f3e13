import { BLOCKS } from './image-store.ts';
import type { World } from './world.ts';

// What histories are made of.

export const create = (name: string, more: object = {}) => ({
  operation: 'create' as const,
  name,
  ...more,
});
export const revert = (name: string, more: object = {}) => ({
  operation: 'revert' as const,
  name,
  ...more,
});
export const remove = (name: string, more: object = {}) => ({
  operation: 'delete' as const,
  name,
  ...more,
});

export const external = { disks: 'external' as const };
export const internal = { disks: 'internal' as const };
export const mixed = { disk: { vda: 'internal' as const, vdb: 'external' as const } };
export const diskOnly = { memory: 'none' as const };
export const onlyPrecopy = (world: World) => {
  world.captures.background = false;
};
export const noAgent = (world: World) => {
  world.agent = false;
};
/** The guest rewrites a whole disk: then merging up costs more than merging down. */
export const fills = (world: World) => {
  for (const device of world.process?.heads.keys() ?? []) {
    for (let block = 1; block < BLOCKS; block += 1) {
      world.guestWrites(device, block, 9_000 + block);
    }
  }
};
