import { provesEveryCase } from '../lab/cases/scenario.ts';
import { OVERLAY } from '../lab/cases/storages.ts';
import { libvirtKeeper } from './keeper.ts';

provesEveryCase(OVERLAY, { keeper: libvirtKeeper });
