import { provesEveryCase } from '../lab/cases/scenario.ts';
import { MIXED } from '../lab/cases/storages.ts';
import { libvirtKeeper } from './keeper.ts';

provesEveryCase(MIXED, { keeper: libvirtKeeper });
