import { expect, test } from 'vitest';
import type { Domain, Snapshot } from '../../src/catalog/model.ts';
import { foreignChanges } from '../../src/operations/foreign.ts';
import type { Session } from '../../src/operations/session.ts';
import type { Toolstack } from '../../src/toolstacks/port.ts';

const record = (name: string, parent: string | null, createdAt: number) => ({
  name,
  parent,
  createdAt,
  description: '',
  disks: [],
  memory: null,
  deviceDigest: '',
  runState: 'off',
});

test('a snapshot of virsh’s is younger than its parent, though libvirt tells whole seconds', async () => {
  const known = [{ name: 'one', disks: [], operation: 'op', parent: null, createdAt: 1_500 }];
  const session = {
    catalog: { snapshots: () => known as unknown as Snapshot[] },
  } as unknown as Session;
  const toolstack = {
    records: async () => [
      record('one', null, 1_000),
      record('third', 'second', 1_000),
      record('second', 'one', 1_000),
      record('later', 'one', 7_000),
    ],
    inspect: async () => ({ runState: 'off', disks: [], configured: [] }),
  } as unknown as Toolstack;
  const domain = { name: 'vm', toolstack: 'libvirt', disks: [], current: 'one' };
  const changes = await foreignChanges(session, toolstack, domain as unknown as Domain);
  const ages = changes.flatMap(change =>
    change.catalog === 'snapshot' ? [[change.snapshot.name, change.snapshot.createdAt]] : [],
  );
  expect(Object.fromEntries(ages)).toEqual({ second: 1_501, third: 1_502, later: 7_000 });
});
