import type { Session } from '../operations/session.ts';
import { type Undone, undoRevert } from '../operations/undo.ts';
import { checkName } from '../plan/names.ts';
import { typed } from '../plan/typed.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { columns } from './format.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, watched } from './mutate.ts';
import { seeing } from './newcomer.ts';
import { withSession } from './open-home.ts';
import { json, out, say, stylist } from './output.ts';
import { type Result, resultOf, stateSentence, tellResult } from './result.ts';
import { type RevertOptions, runAfterOf } from './revert.ts';
import { memoryText, timing } from './summary.ts';

/** `domsnap undo`: take the last revert back. */
export function undo(
  call: Invocation,
  domain: string,
  options: RevertOptions & MutateOptions,
): Promise<Exit> {
  checkName('domain', domain);
  return withSession(
    call,
    session =>
      watched(call, session, options, async (run, seen) => {
        const begunMs = performance.now();
        // What domsnap has never worked on has no revert of its own to take back: it is not added for that.
        const known = await seeing(call, session, domain);
        const undone = await undoRevert(known, { domain, runAfter: runAfterOf(options) }, run);
        const results: Result[] = [];
        for (const report of undone.reports) {
          results.push(resultOf(session, report, seen, performance.now() - begunMs));
        }
        const exit = exitOf(results, undone);
        return () => {
          if (call.json) json(documentOf(domain, undone, results, exit));
          else tell(domain, session, undone, results, exit);
          return exit;
        };
      }),
    options.reason,
  );
}

/** Behind its revert an undo is no more as before: what then fails needs attention. */
function exitOf(results: readonly Result[], { left }: Undone): Exit {
  const failed = results.find(({ ok }) => !ok);
  if (!failed) return left.length > 0 ? EXIT.attention : EXIT.done;
  return failed === results[0] && failed.case.startsWith('revert') ? failed.exit : EXIT.attention;
}

function documentOf(
  domain: string,
  { undoes, kept, memory, since, left }: Undone,
  results: readonly Result[],
  exit: Exit,
): object {
  const operations = results.map(({ event: _, ...rest }) => rest);
  return {
    event: 'result',
    ok: exit === EXIT.done,
    exit,
    domain,
    undoes,
    kept,
    memory,
    since,
    operations,
    left,
  };
}

function tell(
  domain: string,
  session: Session,
  undone: Undone,
  results: readonly Result[],
  exit: Exit,
): void {
  const { undoes, kept, memory, since, left } = undone;
  const failed = results.find(({ ok }) => !ok);
  if (failed) tellResult(failed, session, undefined);
  if (exit === EXIT.done) {
    const style = stylist(process.stdout);
    const heads = session.catalog.domain(domain)?.disks ?? [];
    const last = results.at(-1);
    const guestPauseMs = results[0]?.guestPauseMs ?? null;
    const rows: [string, string][] = [
      ['taken back', `the operation ${undoes}`],
      ['memory', memoryText(memory)],
      ...(kept ? ([['kept', `${kept} holds what the disks held since`]] as const) : []),
      ...(since.length > 0 ? ([['kept', `${since.join(', ')}, made since`]] as const) : []),
      ...heads.map(({ device, head }) => [device, `writes to ${head.path}`] as const),
      ...timing({ guestPauseMs, elapsedMs: last?.elapsedMs ?? 0 }),
      ['operation', results.map(({ operation }) => operation).join(', ')],
    ].map(([key = '', value = '']) => [`  ${style('dim', key)}`, value]);
    const now = last ? stateSentence(last) : '';
    out(`${style('green', '✔')} ${style('bold', `${domain}: its last revert is undone.`)} ${now}`);
    out(columns(rows).join('\n'));
    return;
  }
  if (failed && failed === results[0] && failed.case.startsWith('revert')) return;
  const style = stylist(process.stderr);
  for (const { message } of left) say(`${style('red', 'domsnap:')} ${message}`);
  say(
    `The revert is taken back, and nothing is lost; the node it went back to is still in the tree.`,
  );
  say(`  ${style('cyan', '→')} ${typed('undo', domain)} goes on when the cause is gone`);
}
