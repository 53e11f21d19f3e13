import type { Failure } from '../../machines/saga.ts';
import { startOf } from '../operations/begun.ts';
import { TRASH_SUBJECT } from '../operations/host-subject.ts';
import type { Report } from '../operations/run-request.ts';
import type { Session } from '../operations/session.ts';
import { ROOM_HINT } from '../plan/draft.ts';
import type { Plan } from '../plan/plan.ts';
import { typed } from '../plan/typed.ts';
import type { Exit } from './exit-codes.ts';
import { EXIT } from './exit-codes.ts';
import { out, say, stylist } from './output.ts';
import { type SnapshotJson, snapshotJson } from './snapshot-json.ts';
import { startHint, summaryOf } from './summary.ts';
import type { Watch } from './watch.ts';

/** The last line of a command that changes a domain. */
export interface Result {
  readonly event: 'result';
  readonly ok: boolean;
  readonly exit: Exit;
  readonly operation: string;
  readonly domain: string;
  readonly name: string;
  readonly case: string;
  readonly outcome: Report['outcome'];
  /** The state in which the operation waits, or its outcome. */
  readonly state: string;
  readonly failures: readonly Failure[];
  /** How long a guest that ran stood still; null where it did not, or did not run before. */
  readonly guestPauseMs: number | null;
  readonly elapsedMs: number;
  /** `running`, `paused`, `off` or `other`; `unknown` where it does not say. */
  readonly domainState: string;
  /** How it stood before; null where no record says so. */
  readonly runBefore: string | null;
  /** It was to be up and is off: its process has gone meanwhile. */
  readonly died: boolean;
  /** The snapshot of a create or revert that was done. */
  readonly snapshot: SnapshotJson | null;
  /** Operations of earlier lives that were brought to their end first. */
  readonly recovered: readonly string[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

const EXITS = { committed: EXIT.done, rolledBack: EXIT.rolledBack } as const;

/** What became of an operation, with the state that its domain is in now. */
export function resultOf(session: Session, report: Report, seen: Watch, elapsedMs: number): Result {
  const { operation, domain, name, caseId, outcome, failures, state, domainState } = report;
  const exit = EXITS[outcome as keyof typeof EXITS] ?? EXIT.attention;
  const makes = caseId.startsWith('create') || caseId.startsWith('revert');
  const made = !makes ? undefined : session.catalog.snapshot(domain, name);
  const input = startOf(session, operation)?.input as RunStates | undefined;
  const result: Result = {
    event: 'result',
    ok: exit === EXIT.done,
    exit,
    operation,
    domain,
    name,
    case: caseId,
    outcome,
    state,
    failures,
    guestPauseMs: seen.guestPauseMs(),
    elapsedMs,
    domainState,
    runBefore: input?.runBefore ?? null,
    died: domainState === 'off' && wantedUp(outcome, input),
    snapshot: outcome === 'committed' && made ? snapshotJson(made) : null,
    recovered: seen.recovered.filter(id => id !== operation),
  };
  return result.ok ? result : { ...result, error: errorOf(result) };
}

type RunStates = Pick<Plan['input'], 'runBefore' | 'runAfter'>;

/** An operation that waits may have ended the domain itself: nothing is said of that one. */
function wantedUp(outcome: Report['outcome'], input: RunStates | undefined): boolean {
  if (outcome === 'committed') return input !== undefined && input.runAfter !== 'off';
  return outcome === 'rolledBack' && input !== undefined && input.runBefore !== 'off';
}

/** Tell people: what was done on stdout; what went wrong, what is now and what to type on stderr. */
export function tellResult(result: Result, session: Session, plan: Plan | undefined): void {
  if (result.ok) {
    const { catalog } = session;
    const snapshots = catalog.snapshots(result.domain).length;
    const known = { domain: catalog.domain(result.domain), plan, snapshots };
    out(summaryOf(result, known, stylist(process.stdout)));
    return;
  }
  const style = stylist(process.stderr);
  const [operation = ''] = result.case.split('.');
  const { message, hint } = errorOf(result);
  say(`${style('red', 'domsnap:')} ${operation} ${result.domain} ${result.name}: ${message}`);
  for (const { step, message: more } of result.failures.slice(1)) say(`  then ${step}: ${more}`);
  say(`  ${stateSentence(result)}`);
  say(`  ${style('cyan', '→')} ${hint}`);
}

function errorOf({ outcome, state, failures, operation, domain, died }: Result) {
  const [first] = failures;
  const cause = first ? `${first.step}: ${first.message}` : `it waits in ${state}`;
  const room = first?.code === 'no-space' ? `${ROOM_HINT}; ` : '';
  const log = `${typed('log', '--operation', operation)} shows every call`;
  const recover = `${room}${typed('recover', operation)} goes on; ${log}`;
  switch (outcome) {
    case 'rolledBack': {
      const hint = `${room}${died ? `${startHint(domain)}; ` : ''}${log}`;
      return first?.code === 'aborted'
        ? { code: 'aborted', message: `called off in ${first.step}`, hint }
        : { code: first?.code ?? 'failed', message: `failed in ${cause}`, hint };
    }
    case 'parked':
      return { code: 'parked', message: `stopped before ${state}, as you asked`, hint: recover };
    default:
      return { code: 'needs-attention', message: `needs attention after ${cause}`, hint: recover };
  }
}

/** What state the domain and its disks are in. */
export function stateSentence({
  domain,
  domainState,
  outcome,
  runBefore,
  died,
}: Pick<Result, 'domain' | 'domainState' | 'outcome' | 'runBefore' | 'died'>): string {
  if (domain === TRASH_SUBJECT) return 'It works on no domain: none is touched.';
  const now = {
    running: 'runs',
    paused: 'stands still',
    off: died ? 'is off, since its QEMU has gone' : 'is off',
    other: 'is in a state in which nothing can be begun',
  }[domainState];
  const then = runBefore && runBefore !== domainState ? ` (before: ${runBefore})` : '';
  const guest = `${domain} ${now ?? 'does not say how it stands'}${then}`;
  switch (outcome) {
    case 'committed':
      return `${guest}.`;
    case 'rolledBack':
      return `${guest}, its disks are as before; nothing is left behind.`;
    case 'parked':
      return `${guest}; the operation is open, and nothing is lost.`;
    default:
      return `${guest}; its disks were left exactly as they are, so that nothing is lost.`;
  }
}
