import { provesEveryCase } from './scenario.ts';
import { OVERLAY } from './storages.ts';

provesEveryCase(OVERLAY);
