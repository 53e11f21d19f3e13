import { describe, expect, test } from 'vitest';
import { drive } from './drive.ts';
import { violations } from './invariants.ts';
import { SCENARIOS } from './scenarios.ts';
import { DOMAIN, type SimHost } from './sim-host.ts';
import { prepare } from './stage.ts';
import type { World } from './world.ts';

/** Run a case that ends well, spoil the world, and ask what is wrong with it. */
async function spoiled(name: string, spoil: (host: SimHost) => void): Promise<string> {
  const scenario = SCENARIOS.find(other => other.name === name);
  if (!scenario) throw new Error(`no scenario ${name}`);
  const prepared = await prepare(scenario);
  const { host } = prepared;
  const before = new Map(
    [...host.world.truth].map(([device, held]) => [device, [...held]] as const),
  );
  const startsBefore = host.world.starts.length;
  const { ending } = await drive(prepared);
  spoil(host);
  const faults = violations(host, { ending, input: prepared.input, before, startsBefore });
  return faults.map(fault => fault.split(':')[0]).join(' ');
}

const headOf = ({ catalog }: SimHost, n: number) => {
  const head = catalog.domain(DOMAIN)?.disks[n]?.head;
  if (!head) throw new Error('no head');
  return head;
};
const process = (world: World) => {
  if (!world.process) throw new Error('the domain is off');
  return world.process;
};

describe('the invariants see', () => {
  const live = 'create.live.background.external';

  test('nothing wrong where nothing is', async () => {
    expect(await spoiled(live, () => {})).toBe('');
  });

  test('a guest that was left paused (I1)', async () => {
    const paused = await spoiled(live, ({ world }) => {
      process(world).runState = 'paused';
    });
    expect(paused).toBe('I1');
  });

  test('a guest that was left frozen (I2)', async () => {
    const frozen = await spoiled(live, ({ world }) => {
      process(world).frozen = 2;
    });
    expect(frozen).toBe('I2');
  });

  test('one block of a snapshot that changed (I3)', async () => {
    const changed = await spoiled(live, host => {
      host.world.store.write({ path: '/images/disk0', format: 'qcow2' }, 12, 1);
    });
    expect(changed).toContain('I3');
  });

  test('a memory file that changed (I3)', async () => {
    const changed = await spoiled(live, ({ world, catalog }) => {
      const path = catalog.snapshot(DOMAIN, 's1')?.memory?.path ?? '';
      world.writeMemory(path, { counter: 0, written: 0 });
    });
    expect(changed).toBe('I3');
  });

  test('a lost write of the guest (I4)', async () => {
    const lost = await spoiled(live, host => {
      host.world.store.image(headOf(host, 1)).blocks.clear();
    });
    expect(lost).toBe('I4');
  });

  test('a domain that writes to another image than the records name (I4)', async () => {
    const stale = await spoiled(live, ({ world }) => {
      process(world).heads.set('vda', { path: '/images/disk0', format: 'qcow2' });
    });
    expect(stale).toContain('I4');
  });

  test('a file and a tag that nobody owns, and an image that is not there (I5)', async () => {
    const stray = await spoiled(live, ({ world }) => {
      world.store.makeImage({ path: '/images/stray', format: 'qcow2' }, null);
    });
    expect(stray).toBe('I5');
    const tagged = await spoiled(live, host => {
      host.world.store.image(headOf(host, 0)).tags.set('stray', new Map());
    });
    expect(tagged).toBe('I5');
    const gone = await spoiled('create.offline.disk-only.external', ({ world }) => {
      world.store.files.delete('/images/disk0');
    });
    expect(gone).toContain('I5');
  });

  test('an overlay that is open and unused (I6)', async () => {
    const open = await spoiled(live, ({ world }) => {
      const volume = { path: '/images/disk0', format: 'qcow2' };
      process(world).attached.set(volume.path, volume);
    });
    expect(open).toBe('I6');
  });

  test('disks of different instants, as a machine without its pause would make them (I8)', async () => {
    const scenario = SCENARIOS.find(({ name }) => name === live);
    const prepared = await prepare(scenario as (typeof SCENARIOS)[number]);
    const { world, oracle } = prepared.host;
    const before = new Map(world.truth);
    const startsBefore = world.starts.length;
    // The guest runs on between the disks' instant and the memory's.
    const steps: typeof prepared.steps = host => {
      const real = prepared.steps(host);
      const capture = real.startCapture;
      if (!capture) throw new Error('no such step');
      const late = {
        ...capture,
        async act(...args: Parameters<typeof capture.act>) {
          process(world).runState = 'running';
          world.goOn(9);
          process(world).runState = 'paused';
          return await capture.act(...args);
        },
      };
      return { ...real, startCapture: late };
    };
    const { ending } = await drive({ ...prepared, steps });
    expect(ending.outcome).toBe('committed');
    expect(oracle.torn(DOMAIN)).toHaveLength(1);
    const faults = violations(prepared.host, {
      ending,
      input: prepared.input,
      before,
      startsBefore,
    });
    expect(faults.join()).toContain('I8');
  });
});
