import { test } from 'vitest';
import { LONG } from '../../long.ts';
import { provesEveryCase } from './scenario.ts';
import { MIXED } from './storages.ts';

if (LONG) provesEveryCase(MIXED);
else test.skip('every case, mixed: in the long form alone, DOMSNAP_LONG=1 (a minute)', () => {});
