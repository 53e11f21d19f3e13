import { acquits } from './acquittal.ts';

acquits('revert');
