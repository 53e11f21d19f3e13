/** A storage pool, as far as it says where its volumes are. */
export interface Pool {
  /** `dir`, `logical`, `rbd`, …; empty where libvirt has no such pool. */
  readonly type: string;
  /** Where its volumes lie; empty where they have no paths. */
  readonly folder: string;
}

/** The pools that descriptions name, by their names. */
export type Pools = ReadonlyMap<string, Pool>;

/** Of no pools: for descriptions that name none. */
export const NO_POOLS: Pools = new Map();

/** The kinds whose volumes are files, or logical volumes: their path is the folder's and the name. */
const WITH_PATHS = new Set(['dir', 'fs', 'netfs', 'logical']);

/**
 * Where a volume is, or why a snapshot cannot hold it. By the pool's own word, so that it is known of a
 * pool that is not active, too (libvirt: src/storage/storage_util.c and storage_backend_logical.c, the
 * path of a volume is `FOLDER/NAME`).
 */
export function pathOfVolume(
  pools: Pools,
  pool: string,
  volume: string,
): { readonly path: string; readonly isBlock: boolean } | { readonly why: string } {
  const found = pools.get(pool);
  const what = `it is the volume ${volume} of the pool ${pool}`;
  if (!found || found.type === '') return { why: `${what}, which libvirt does not know` };
  if (!WITH_PATHS.has(found.type) || found.folder === '') {
    return { why: `${what}, which is of the type ${found.type}` };
  }
  if (volume === '' || volume.includes('/')) return { why: `${what}, which is no name of a file` };
  return { path: `${found.folder}/${volume}`, isBlock: found.type === 'logical' };
}
