import type { SeenSnapshot, Sight } from './sight.ts';

/** A running guest of two disks with an external snapshot `earlier` of which nothing is wrong; for tests. */
export function soundSight(changes: Partial<Sight> = {}): Sight {
  const heads = [head('vda'), head('vdb')];
  return {
    domstate: 'running',
    qemu: 'running',
    guest: { mem: 40, vda: 40, vdb: 40 },
    moves: true,
    frozen: false,
    jobs: [],
    heads: { live: heads, config: heads, qemu: heads },
    snapshots: [soundSnapshot('earlier')],
    chains: ['/i/vda.earlier', '/i/vda', '/i/vdb.earlier', '/i/vdb'],
    files: ['/i/vda', '/i/vdb', '/i/vda.earlier', '/i/vdb.earlier'],
    tags: [],
    counters: [],
    ...changes,
  };
}

/** An external snapshot whose overlays are the heads of `soundSight`. */
export function soundSnapshot(name: string, changes: Partial<SeenSnapshot> = {}): SeenSnapshot {
  return {
    name,
    memory: 'no',
    memoryFile: null,
    disks: ['vda', 'vdb'].map(device => ({
      device,
      how: 'external',
      base: `/i/${device}`,
      overlay: `/i/${device}.${name}`,
    })),
    missing: [],
    digests: { vda: 'a1', vdb: 'b1' },
    counters: { vda: { n: 9, boot: '0' }, vdb: { n: 9, boot: '0' } },
    ...changes,
  };
}

const head = (device: string) => ({ device, path: `/i/${device}.earlier` });
