import { expect, test } from 'vitest';
import { survey } from '../../src/plan/survey.ts';
import type { Images, ImageView, ManagedVolume } from '../../src/storages/port.ts';
import { checkup } from '../doctor/healthy.ts';
import { callContext } from '../toolstacks/context.ts';

const ROOT = { path: '/dev/vg0/root', format: 'raw' };

/** A domain that is off, on a volume that is open, or has an open snapshot, until the host has had its look. */
function hostThatLooks(what: 'volume' | 'snapshot') {
  const { facts } = checkup();
  const domain = { ...facts.domain, disks: [{ device: 'vda', head: ROOT }] };
  let settled = 0;
  const view = (): ImageView => ({
    volume: ROOT,
    virtualBytes: 1,
    allocatedBytes: 1,
    dataBytes: 1,
    backing: null,
    tags: [],
    manager: {
      open: what === 'volume' && settled === 0,
      snapshots: [{ tag: 's', open: what === 'snapshot' && settled === 0 }],
    } as unknown as ManagedVolume,
  });
  const images = {
    atOneMoment: () => images,
    settle: async () => {
      settled += 1;
    },
    view: async () => view(),
    exists: async () => true,
    identity: async (path: string) => path,
    openedBy: async () => [],
    freeBytes: async () => 1,
  } as unknown as Images;
  const sources = {
    toolstack: { inspect: async () => ({ ...facts.view, runState: 'off' }) },
    catalog: { snapshots: () => [], domains: () => [domain] },
    images,
    home: '/home',
    context: callContext(),
  } as unknown as Parameters<typeof survey>[0];
  return {
    look: (rewrites: boolean) => survey(sources, domain, 'op', 1, { agent: false, rewrites }),
    settled: () => settled,
  };
}

test('a volume that the host itself looks into, since it is new, is not taken for one that is in use', async () => {
  const host = hostThatLooks('volume');
  const { images } = await host.look(false);
  expect(host.settled()).toBe(1);
  expect(images.get(ROOT.path)?.manager?.open).toBe(false);
});

test('whoever has a snapshot open is waited for by those alone that would change it', async () => {
  const create = hostThatLooks('snapshot');
  await create.look(false);
  expect(create.settled()).toBe(0);
  const remove = hostThatLooks('snapshot');
  const { images } = await remove.look(true);
  expect(remove.settled()).toBe(1);
  expect(images.get(ROOT.path)?.manager?.snapshots[0]?.open).toBe(false);
});
