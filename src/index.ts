/**
 * domsnap as a library.
 *
 * The first half has nothing to do with virtual machines: whoever has a workflow that must survive the
 * death of its process writes a machine with `saga()` and a `Step` for each effect, and runs it with
 * `start` and `resume`. `src/examples/move-tree.ts` is such a workflow.
 *
 * The second half is domsnap itself: open a session, and run requests in it.
 */

export { type Conditions, caseOf } from '../machines/case-of.ts';
export { CATALOGUE, REPAIRS } from '../machines/index.ts';
export { type Outcome, type Saga, type SagaSpec, type SagaStep, saga } from '../machines/saga.ts';
export type { Domain, Snapshot } from './catalog/model.ts';
/** The JSON of every command (`--json`), as zod schemas. */
export * as schema from './cli/schema.ts';
export type { Clock } from './engine/clock.ts';
export type { Who } from './engine/fact.ts';
export { armedFailpoints, type Failpoints } from './engine/failpoint.ts';
export type { Json } from './engine/json.ts';
export type { Lock, Locks } from './engine/lock.ts';
export { type Ending, type Engine, type Observer, resume, start } from './engine/run.ts';
export {
  type Acted,
  defineStep,
  type EffectContext,
  type Probe,
  type Step,
  StepError,
  type Steps,
} from './engine/step.ts';
export { systemClock } from './engine/system-clock.ts';
export type { Watch, Watchdog } from './engine/watchdog.ts';
export { thisProcess } from './engine/who.ts';
export { openJournal } from './journal/open-journal.ts';
export type { Journal, JournalRecord, Operation, Status } from './journal/port.ts';
export { examineHost } from './operations/doctor.ts';
export {
  addDomain,
  removeDomain,
  startDomain,
  stopDomain,
  viewDomain,
} from './operations/domains.ts';
export { collectTrash } from './operations/gc.ts';
export { openSession } from './operations/open-session.ts';
export { recover, UnrecoveredError } from './operations/recover.ts';
export { planRequest, type Report, type RunOptions, runRequest } from './operations/run-request.ts';
export { revertSafely } from './operations/safe-revert.ts';
export { BusyError, type Session } from './operations/session.ts';
export { undoRevert } from './operations/undo.ts';
export { hostWatchdog } from './operations/watchdog.ts';
export type { Plan } from './plan/plan.ts';
export { type Refusal, RefusedError } from './plan/refusal.ts';
export type { Request } from './plan/request.ts';
