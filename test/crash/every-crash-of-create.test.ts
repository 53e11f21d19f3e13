import { acquits } from './acquittal.ts';

acquits('create');
