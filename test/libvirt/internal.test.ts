import { test } from 'vitest';
import { provesEveryCase } from '../lab/cases/scenario.ts';
import { INTERNAL } from '../lab/cases/storages.ts';
import { LONG } from '../long.ts';
import { libvirtKeeper } from './keeper.ts';

// Of the three ways to hold disks one is played by every run; all three by the long form.
if (LONG) provesEveryCase(INTERNAL, { keeper: libvirtKeeper });
else {
  test.skip('every case on libvirt, qcow2-internal: in the long form alone, DOMSNAP_LONG=1 (two minutes)', () => {});
}
