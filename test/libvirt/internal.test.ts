import { provesEveryCase } from '../lab/cases/scenario.ts';
import { INTERNAL } from '../lab/cases/storages.ts';
import { libvirtKeeper } from './keeper.ts';

provesEveryCase(INTERNAL, { keeper: libvirtKeeper });
