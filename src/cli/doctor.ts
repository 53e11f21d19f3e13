import { type Examined, examineHost, type Told } from '../operations/doctor.ts';
import type { Repaired } from '../operations/doctor-host.ts';
import type { Session } from '../operations/session.ts';
import { checkName } from '../plan/names.ts';
import { printable } from '../tools/printable.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { count, fill } from './format.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, watched } from './mutate.ts';
import { withReading, withSession } from './open-home.ts';
import { json, out, type Style, stylist, widthOf } from './output.ts';

/** The options of `doctor`. */
export interface DoctorOptions extends MutateOptions {
  readonly fix?: boolean | undefined;
  readonly sure?: readonly string[] | undefined;
}

const TEXT_MAX = 2_000;

/** `domsnap doctor`: examine, explain, and with `--fix` repair. */
export function doctor(
  call: Invocation,
  domain: string | undefined,
  options: DoctorOptions,
): Promise<Exit> {
  if (domain !== undefined) checkName('domain', domain);
  const { fix = false, sure = [] } = options;
  const examined = (session: Session) =>
    watched(call, session, options, async run => {
      const found = await examineHost(session, { domain, fix, sure }, run);
      const exit = exitOf(found);
      return () => {
        if (call.json) json(documentOf(found, exit));
        else tell(found, stylist(process.stdout));
        return exit;
      };
    });
  return fix ? withSession(call, examined, options.reason) : withReading(call, examined);
}

const exitOf = ({ findings }: Examined): Exit =>
  findings.some(({ finding }) => finding.severity === 'attention') ? EXIT.attention : EXIT.done;

function documentOf({ domains, findings, repaired }: Examined, exit: Exit): object {
  return {
    event: 'result',
    ok: exit === EXIT.done,
    exit,
    domains,
    findings: findings.map(findingJson),
    repaired: repaired.map(({ finding, report }) => ({
      code: finding.code,
      domain: finding.domain,
      what: finding.what,
      operation: report.operation,
      case: report.caseId,
      outcome: report.outcome,
      failures: report.failures,
    })),
  };
}

function findingJson({ finding, caseId, steps }: Told): object {
  const { repair, proven, ...told } = finding;
  return {
    ...told,
    repair:
      repair === null
        ? null
        : {
            case: caseId,
            proven,
            steps: steps.map(({ step, says, commands }) => ({ step, says, commands })),
          },
  };
}

function tell({ domains, findings, repaired }: Examined, style: Style): void {
  for (const done of repaired) out(repairedText(done, style));
  for (const told of findings) out(findingText(told, style));
  const serious = findings.filter(({ finding }) => finding.severity === 'attention').length;
  const who = domains.length === 1 ? domains[0] : count(domains.length, 'domain');
  const end =
    findings.length === 0
      ? `${style('green', '✔')} ${who}: healthy`
      : serious === 0
        ? `${style('green', '✔')} ${who}: healthy, with advice`
        : `${style('red', '✘')} ${who}: ${serious} of ${count(findings.length, 'finding')} ${serious === 1 ? 'needs' : 'need'} attention`;
  out(end);
}

function repairedText({ finding, report }: Repaired, style: Style): string {
  const good = report.outcome === 'committed' || finding.repair?.kind === 'recover';
  const attended = report.outcome !== 'needsAttention' && report.outcome !== 'parked';
  const mark = good && attended ? style('green', '✔') : style('red', '✘');
  const causes = report.failures.map(({ step, message }) => `${step}: ${message}`);
  const why = good && attended ? '' : `: ${causes.join('; ')}`;
  const ended = { committed: 'done', rolledBack: 'taken back' }[report.outcome as string];
  const text = `${mark} ${style('bold', finding.code)} · ${report.caseId}: ${ended ?? 'needs attention'}${printable(why, TEXT_MAX)}`;
  return `${text}  ${style('dim', report.operation)}`;
}

function findingText({ finding, caseId }: Told, style: Style): string {
  const { code, severity, what, meaning, hint, repair } = finding;
  const wide = Math.min(widthOf(process.stdout), 110);
  const mark = severity === 'attention' ? style('red', '✘') : style('yellow', '·');
  // The case of an operation that was left open is not what repairs it.
  const repairs = repair && repair.kind !== 'recover' && caseId ? style('dim', ` (${caseId})`) : '';
  return [
    `${mark} ${style('bold', code)}`,
    fill(printable(what, TEXT_MAX), wide, '    '),
    fill(printable(meaning, TEXT_MAX), wide, '    '),
    `  ${style('cyan', '→')} ${printable(hint, TEXT_MAX)}${repairs}`,
  ].join('\n');
}
