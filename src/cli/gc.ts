import { join } from 'node:path';
import { type Collected, collectTrash } from '../operations/gc.ts';
import type { TrashVerdict } from '../plan/gc.ts';
import { printable } from '../tools/printable.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { age, bytes, columns, count } from './format.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, watched } from './mutate.ts';
import { withSession } from './open-home.ts';
import { json, out, type Style, say, stylist } from './output.ts';

/** The options of `gc`. */
export interface GcOptions extends MutateOptions {
  readonly olderThan?: number | undefined;
  readonly maxSize?: number | undefined;
  readonly dryRun?: true | undefined;
}

/** A week: long enough to notice over a weekend that something is missing. */
const OLDER_THAN_MS = 7 * 86_400_000;
const PATH_MAX = 400;

/** `domsnap gc`: purge the trash of this host. */
export function gc(call: Invocation, options: GcOptions): Promise<Exit> {
  const { olderThan = OLDER_THAN_MS, maxSize, dryRun = false } = options;
  return withSession(
    call,
    session =>
      watched(call, session, options, async run => {
        const request = { olderThanMs: olderThan, bytesMax: maxSize, dryRun };
        const collected = await collectTrash(session, request, run);
        const exit = exitOf(collected);
        return () => {
          if (call.json) json(documentOf(collected, dryRun, exit));
          else tell(collected, dryRun, exit);
          return exit;
        };
      }),
    options.reason,
  );
}

const EXITS = { committed: EXIT.done, rolledBack: EXIT.rolledBack } as const;

const exitOf = ({ report }: Collected): Exit =>
  report ? (EXITS[report.outcome as keyof typeof EXITS] ?? EXIT.attention) : EXIT.done;

const pathOf = ({ file: { folder, operation, name } }: TrashVerdict): string =>
  join(folder, operation, name);

const sumOf = (verdicts: readonly TrashVerdict[]): number =>
  verdicts.reduce((sum, { file }) => sum + file.bytes, 0);

function documentOf(
  { verdicts, skipped, folders, report }: Collected,
  dryRun: boolean,
  exit: Exit,
): object {
  const due = verdicts.filter(({ verdict }) => verdict === 'purge');
  return {
    event: 'result',
    ok: exit === EXIT.done,
    exit,
    dryRun,
    operation: report?.operation ?? null,
    outcome: report?.outcome ?? null,
    purged: { files: due.length, bytes: sumOf(due) },
    kept: { files: verdicts.length - due.length, bytes: sumOf(verdicts) - sumOf(due) },
    files: verdicts.map(verdict => ({
      path: pathOf(verdict),
      from: verdict.file.from,
      operation: verdict.file.operation,
      domain: verdict.domain,
      bytes: verdict.file.bytes,
      ageMs: verdict.ageMs,
      verdict: verdict.verdict,
      why: verdict.why,
    })),
    skipped,
    folders,
    failures: report?.failures ?? [],
  };
}

function tell({ verdicts, skipped, report }: Collected, dryRun: boolean, exit: Exit): void {
  const style = stylist(process.stdout);
  const due = verdicts.filter(({ verdict }) => verdict === 'purge');
  const kept = verdicts.filter(({ verdict }) => verdict === 'keep');
  if (dryRun && verdicts.length > 0) {
    out(columns(verdicts.map(verdict => rowOf(verdict, style))).join('\n'));
  }
  for (const { path, why } of skipped) {
    say(`left alone: ${printable(path, PATH_MAX)} ${printable(why, PATH_MAX)}`);
  }
  const rest = `${count(kept.length, 'file')} (${bytes(sumOf(kept))}) ${kept.length === 1 ? 'stays' : 'stay'} in the trash`;
  if (exit !== EXIT.done) {
    for (const { step, message } of report?.failures ?? []) say(`domsnap: ${step}: ${message}`);
    say(`Not all of it could be removed; 'domsnap gc' again goes on when the cause is gone.`);
  } else if (due.length === 0) {
    out(`nothing to remove; ${rest}`);
  } else {
    const did = dryRun ? 'would be removed' : 'are removed for good';
    const mark = dryRun ? '·' : style('green', '✔');
    out(`${mark} ${count(due.length, 'file')} (${bytes(sumOf(due))}) ${did}; ${rest}`);
  }
}

function rowOf(verdict: TrashVerdict, style: Style): string[] {
  const { file, ageMs, verdict: becomes, why } = verdict;
  const mark = becomes === 'purge' ? style('red', 'purge') : style('green', 'keep');
  return [
    `  ${mark}`,
    bytes(file.bytes),
    age(ageMs),
    printable(pathOf(verdict), PATH_MAX),
    style('dim', printable(why, PATH_MAX)),
  ];
}
