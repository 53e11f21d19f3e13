import { provesEveryCase } from './scenario.ts';
import { INTERNAL } from './storages.ts';

provesEveryCase(INTERNAL);
