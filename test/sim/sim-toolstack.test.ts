import type { Overlay, Toolstack } from '../../src/toolstacks/port.ts';
import { type ToolstackWorld, toolstackConformance } from '../toolstacks/conformance.ts';
import { Life } from './life.ts';
import { simToolstack } from './sim-toolstack.ts';
import { World } from './world.ts';

/** A simulated host whose time passes while a deed is waited for, and whose guest does nothing of itself. */
async function simulated(): Promise<ToolstackWorld> {
  const world = new World();
  const { store } = world;
  world.guestIdle = true;
  const heads: [Overlay, Overlay] = [
    { device: 'vda', volume: { path: '/images/vda.qcow2', format: 'qcow2' } },
    { device: 'vdb', volume: { path: '/images/vdb.raw', format: 'raw' } },
  ];
  for (const { volume } of heads) store.makeImage(volume, null);
  return {
    heads,
    toolstack: () => onItsClock(simToolstack(new Life(world)), world),
    path: name => `/images/${name}`,
    createOverlay: async (overlay, base) => void store.makeImage(overlay, base),
    createFile: async path => void store.files.set(path, { kind: 'file', text: '' }),
    write: async (device, block, byte) => world.guestWrites(device, block, byte),
    readImage: async (volume, block) => store.read(volume, block),
    isFree: async ({ path }) => world.opened(path) === undefined,
    memoryDigest: async () => JSON.stringify(world.process?.memory),
    kill: async () => world.domainDies(),
  };
}

function onItsClock(toolstack: Toolstack, world: World): Toolstack {
  return new Proxy(toolstack, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver);
      if (typeof method !== 'function' || name === 'preview') return method;
      return (...args: unknown[]) => world.clock.settle(method.apply(target, args));
    },
  });
}

toolstackConformance('the simulated host', simulated, {
  captures: ['background', 'precopy', 'paused'],
});
