import { acquits } from './acquittal.ts';

acquits('delete');
