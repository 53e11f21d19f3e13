import { mayHoldJournal } from '../journal/home-trouble.ts';
import type { Journal, JournalRecord, Operation } from '../journal/port.ts';
import { knownDomain } from '../operations/known-domain.ts';
import type { Session } from '../operations/session.ts';
import { refuse } from '../plan/refusal.ts';
import { printable } from '../tools/printable.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { columns, localTime } from './format.ts';
import type { Invocation } from './invocation.ts';
import { follow } from './log-follow.ts';
import { recordText } from './log-record.ts';
import { withReading } from './open-home.ts';
import { json, out, type Style, stylist } from './output.ts';

const PAGE = 500;

/** The options of `log`. */
export interface LogOptions {
  readonly operation?: string | undefined;
  readonly follow?: true | undefined;
}

/** `domsnap log`: operations, newest first; the records of one; or new records as they come. */
export function log(
  call: Invocation,
  domain: string | undefined,
  options: LogOptions,
): Promise<Exit> {
  return withReading(call, async session => {
    const { operation: id } = options;
    const operation = id === undefined ? undefined : knownOperation(session, id);
    // A domain that was removed keeps its history: only one that never was is refused.
    if (domain !== undefined && listed(session, domain).length === 0) knownDomain(session, domain);
    if (options.follow && !mayHoldJournal(call.home)) {
      throw refuse(
        'no-home',
        `there is no journal in ${call.home} to follow`,
        'name one by --home',
      );
    }
    if (options.follow) return follow(call, session.journal, { domain, operation });
    if (operation) showOperation(call, session.journal, operation);
    else showOperations(call, session, domain);
    return EXIT.done;
  });
}

/** `domsnap log verify`: is the journal as it was written? */
export function logVerify(call: Invocation): Promise<Exit> {
  return withReading(call, ({ journal }) => {
    const { records, faults } = journal.verify();
    const exit = faults.length === 0 ? EXIT.done : EXIT.attention;
    if (call.json) {
      json({ ok: exit === EXIT.done, exit, records, faults });
      return exit;
    }
    const style = stylist(process.stdout);
    if (faults.length === 0) out(`${style('green', '✔')} ${records} records, as they were written`);
    for (const { position, what } of faults)
      out(`${style('red', '✘')} record ${position}: ${what}`);
    return exit;
  });
}

/** `domsnap log export`: all records, oldest first, a JSON document a line. */
export function logExport(call: Invocation): Promise<Exit> {
  return withReading(call, ({ journal }) => {
    for (let position = 0; ; ) {
      const page = journal.since(position, PAGE);
      for (const record of page) json(record);
      const last = page.at(-1);
      if (!last) return EXIT.done;
      position = last.position;
    }
  });
}

function knownOperation({ journal }: Session, id: string): Operation {
  const operation = journal.operation(id);
  if (operation) return operation;
  throw refuse('unknown-operation', `there is no operation ${id}`, `'domsnap log' lists them`);
}

const listed = ({ journal }: Session, domain: string): readonly Operation[] =>
  journal.operations({ subject: domain, limit: 1 });

function showOperation(call: Invocation, journal: Journal, operation: Operation): void {
  const records = journal.records(operation.id);
  if (call.json) {
    json({ ok: true, operation: operationJson(operation, records[0]), records });
    return;
  }
  const style = stylist(process.stdout);
  const { id, subject, caseId, status } = operation;
  out(`${style('bold', id)}  ${subject}  ${caseId}  ${outcome(status, style)}`);
  for (const record of records) out(recordText(record, style));
}

function showOperations(call: Invocation, session: Session, domain: string | undefined): void {
  const { journal } = session;
  const operations = journal.operations(domain === undefined ? {} : { subject: domain });
  const found = operations.map(operation => operationJson(operation, firstOf(journal, operation)));
  if (call.json) {
    json({ ok: true, operations: found });
    return;
  }
  if (found.length === 0) {
    out(domain === undefined ? 'no operations yet' : `no operations of ${domain} yet`);
    return;
  }
  const style = stylist(process.stdout);
  const heading = ['BEGUN', 'OPERATION', 'DOMAIN', 'SNAPSHOT', 'CASE', 'OUTCOME', 'WHO', 'REASON'];
  const rows = found.map(one => [
    localTime(Date.parse(one.openedAt)),
    one.id,
    one.domain,
    one.name ?? '-',
    one.case,
    outcome(one.status, style),
    one.who?.login ?? '-',
    printable(one.who?.reason ?? '', 80),
  ]);
  out(columns([heading.map(title => style('dim', title)), ...rows]).join('\n'));
}

const firstOf = (journal: Journal, { id }: Operation): JournalRecord | undefined =>
  journal.records(id)[0];

function operationJson(operation: Operation, first: JournalRecord | undefined) {
  const { id, subject, caseId, caseVersion, status, openedAt, closedAt } = operation;
  const started = first?.fact.type === 'started' ? first.fact : undefined;
  return {
    id,
    domain: subject,
    name: (started?.input as { name?: string } | undefined)?.name ?? null,
    case: caseId,
    caseVersion,
    status,
    openedAt: new Date(openedAt).toISOString(),
    closedAt: closedAt === null ? null : new Date(closedAt).toISOString(),
    who: started?.who ?? null,
  };
}

function outcome(status: Operation['status'], style: Style): string {
  const shown = {
    committed: 'done',
    rolledBack: 'rolled back',
    open: 'open',
    needsAttention: 'needs attention',
  }[status];
  const colours = { committed: 'green', rolledBack: 'yellow', open: 'cyan', needsAttention: 'red' };
  return style(colours[status] as 'green', shown);
}
