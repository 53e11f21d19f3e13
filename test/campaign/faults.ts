import type { Keeper } from '../lab/cases/harness.ts';
import { isRoot } from './campaign-world.ts';
import type { Fault } from './fault.ts';
import { OF_FILES } from './faults-of-files.ts';
import { OF_MONITORS } from './faults-of-monitors.ts';
import { OF_PROCESSES } from './faults-of-processes.ts';

const ALL: readonly Fault[] = [...OF_FILES, ...OF_PROCESSES, ...OF_MONITORS];

/** Those that this host can have. */
const HERE: readonly Fault[] = ALL.filter(({ needsRoot }) => isRoot || !needsRoot);

/** Those that it cannot have, by name. */
export const NOT_HERE: readonly string[] = ALL.filter(one => !HERE.includes(one)).map(
  ({ name }) => name,
);

/** Those that can meet an operation under a toolstack. */
export const faultsUnder = (toolstack: Keeper['name']): readonly Fault[] =>
  HERE.filter(({ under }) => under === undefined || under === toolstack);
