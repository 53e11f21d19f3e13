import { provesEveryCase } from './scenario.ts';
import { MIXED } from './storages.ts';

provesEveryCase(MIXED);
