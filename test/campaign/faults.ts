import { isRoot } from './campaign-world.ts';
import type { Errand } from './errands.ts';
import type { Fault } from './fault.ts';
import { OF_FILES } from './faults-of-files.ts';
import { OF_MONITORS } from './faults-of-monitors.ts';
import { OF_PROCESSES } from './faults-of-processes.ts';

const ALL: readonly Fault[] = [...OF_FILES, ...OF_PROCESSES, ...OF_MONITORS];

/** Those that this host can have. */
export const FAULTS: readonly Fault[] = ALL.filter(({ needsRoot }) => isRoot || !needsRoot);

/** Those that it cannot have, by name. */
export const NOT_HERE: readonly string[] = ALL.filter(one => !FAULTS.includes(one)).map(
  ({ name }) => name,
);

/** Those that can meet such an operation. */
export const faultsFor = (errand: Errand): readonly Fault[] =>
  FAULTS.filter(({ suits = () => true }) => suits(errand));
