import { recover as recoverOperations } from '../operations/recover.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, watched } from './mutate.ts';
import { withSession } from './open-home.ts';
import { json, out } from './output.ts';
import { type Result, resultOf, stateSentence, tellResult } from './result.ts';

/**
 * `domsnap recover`: bring one open operation, or all, to an outcome. Going back is an outcome as
 * good as going on: the exit code is 0 unless one still waits for a person.
 */
export function recover(
  call: Invocation,
  id: string | undefined,
  options: MutateOptions,
): Promise<Exit> {
  return withSession(
    call,
    session =>
      watched(call, session, options, async (run, seen) => {
        const begunMs = performance.now();
        const reports = await recoverOperations(session, id, run);
        const results: Result[] = [];
        for (const report of reports) {
          results.push(resultOf(session, report, seen, performance.now() - begunMs));
        }
        const exit = results.some(result => result.exit === EXIT.attention)
          ? EXIT.attention
          : EXIT.done;
        const status = id === undefined ? undefined : session.journal.operation(id)?.status;
        return () => {
          if (call.json) {
            const operations = results.map(({ event: _, ...rest }) => rest);
            json({ event: 'result', ok: exit === EXIT.done, exit, operations });
            return exit;
          }
          for (const result of results) {
            if (result.outcome === 'rolledBack') out(rolledBack(result));
            else tellResult(result, session, undefined);
          }
          if (results.length === 0) {
            out(
              status ? `nothing to do: ${id} is ${status}` : 'nothing to do: no operation is open',
            );
          }
          return exit;
        };
      }),
    options.reason,
  );
}

function rolledBack(result: Result): string {
  const [operation = ''] = result.case.split('.');
  const what = `${operation} of ${result.name} was taken back (${result.operation})`;
  return `${result.domain}: ${what}\n  ${stateSentence(result)}`;
}
