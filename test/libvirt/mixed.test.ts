import { test } from 'vitest';
import { provesEveryCase } from '../lab/cases/scenario.ts';
import { MIXED } from '../lab/cases/storages.ts';
import { LONG } from '../long.ts';
import { libvirtKeeper } from './keeper.ts';

// Two columns of the table have each of its parts; here they meet in one snapshot, for two minutes more.
if (LONG) provesEveryCase(MIXED, { keeper: libvirtKeeper });
else
  test.skip('every case on libvirt, mixed: in the long form alone, DOMSNAP_LONG=1 (two minutes)', () => {});
