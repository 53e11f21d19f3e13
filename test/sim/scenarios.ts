import { CREATES } from './scenarios-of-create.ts';
import { DELETES } from './scenarios-of-delete.ts';
import { REVERTS } from './scenarios-of-revert.ts';
import { VOLUMES } from './scenarios-of-volumes.ts';
import type { Scenario } from './stage.ts';

/** Every case, some in several ways. The name begins with the id of the case. */
export const SCENARIOS: readonly Scenario[] = [...CREATES, ...REVERTS, ...DELETES, ...VOLUMES];
