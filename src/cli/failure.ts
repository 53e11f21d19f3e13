import { dirname } from 'node:path';
import { CommanderError } from 'commander';
import { StepError } from '../engine/step.ts';
import {
  DamagedError,
  HomeError,
  type HomeTrouble,
  JournalFailedError,
} from '../journal/home-error.ts';
import { SubjectBusyError } from '../journal/port.ts';
import { UnrecoveredError } from '../operations/recover.ts';
import { BusyError } from '../operations/session.ts';
import { type Refusal, RefusedError } from '../plan/refusal.ts';
import { typed } from '../plan/typed.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { json, say, stylist } from './output.ts';

/** Why a command did not do what was asked, before an operation came to an outcome. */
export interface Failure {
  readonly exit: Exit;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** All reasons, where there are several. */
  readonly refusals: readonly Refusal[];
  /** What is known of the state of things. */
  readonly now: string;
  readonly stack?: string;
}

const UNTOUCHED = 'Nothing was touched.';

/** What an error that reached the command line means. Anything that is not foreseen is a bug. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) return usageFailure(error);
  if (error instanceof UnrecoveredError) return unrecovered(error);
  if (error instanceof RefusedError) return refused(error);
  if (error instanceof BusyError) return busy(error);
  if (error instanceof SubjectBusyError) return busy(error);
  if (error instanceof DamagedError) return damaged(error);
  if (error instanceof JournalFailedError) return journalFailed(error);
  if (error instanceof HomeError) return badHome(error);
  if (error instanceof Error && error.name === 'UnknownMachineError') {
    const hint = 'run the domsnap that began it, or a newer one; this one has not touched it';
    return failure(EXIT.attention, 'unknown-machine', error.message, hint);
  }
  if (error instanceof StepError) {
    const isFile = error.code === 'bad-domain-file';
    const hint = isFile ? "'domsnap domain add --help' shows one that is right" : '';
    return failure(isFile ? EXIT.usage : EXIT.refused, error.code, error.message, hint);
  }
  if (error instanceof Error && error.name === 'LabError') {
    return failure(EXIT.refused, 'lab', error.message, '');
  }
  return {
    ...failure(EXIT.bug, 'bug', error instanceof Error ? error.message : String(error), ''),
    hint: '‘domsnap recover’ brings an operation that was under way to its end',
    now: 'This is a bug in domsnap; nothing more was done.',
    stack: error instanceof Error ? (error.stack ?? '') : '',
  };
}

/** Say it: to people on stderr, to programs as the last line of stdout. */
export function tellFailure(failed: Failure, asJson: boolean): Exit {
  const { exit, code, message, hint, refusals, now, stack } = failed;
  if (stack !== undefined) say(stack);
  if (asJson) {
    json({ event: 'result', ok: false, exit, error: { code, message, hint, refusals, now } });
    return exit;
  }
  const style = stylist(process.stderr);
  for (const refusal of refusals.length > 0 ? refusals : [{ code, message, hint }]) {
    const [first = '', ...rest] = refusal.message.split('\n');
    say(`${style('red', 'domsnap:')} ${first}`);
    for (const line of rest) say(`  ${line}`);
    if (refusal.hint) say(`  ${style('cyan', '→')} ${refusal.hint}`);
  }
  say(now);
  return exit;
}

function failure(
  exit: Exit,
  code: string,
  message: string,
  hint: string,
  now = UNTOUCHED,
): Failure {
  return { exit, code, message, hint, refusals: [], now };
}

function refused({ refusals, usage }: RefusedError): Failure {
  const [first] = refusals;
  return {
    ...failure(usage ? EXIT.usage : EXIT.refused, first?.code ?? 'refused', '', first?.hint ?? ''),
    message: refusals.map(({ message }) => message).join('; '),
    refusals,
  };
}

function unrecovered({ refusals, report }: UnrecoveredError): Failure {
  const causes = report.failures.map(({ step, message }) => `${step}: ${message}`);
  return {
    ...refused(new RefusedError(refusals)),
    exit: EXIT.attention,
    now: ['Nothing new was begun. What went wrong before:', ...new Set(causes)].join('\n  '),
  };
}

/** What a damaged journal does not touch, what not to do, and the ways back from it. */
function damaged({ message, path }: DamagedError): Failure {
  const home = dirname(path);
  const hint = [
    `copy ${home} away, whole, before anything else; then either put back a copy of it from a time`,
    'since which nothing was done here, or move it away and take each domain in again by its present',
    "images ('domsnap domain add')",
  ].join(' ');
  const now = [
    'Nothing was written, here or elsewhere. The guests and their images are as they were, and run on.',
    `Safe: to read; 'qemu-img info -U --backing-chain IMAGE' shows an image, its bases and its snapshots.`,
    'Not safe: to remove an image, or to start a domain by hand: on which images it belongs may be',
    'written down in this journal alone.',
  ].join('\n');
  return failure(EXIT.attention, 'damaged-journal', message, hint, now);
}

const MENDS: Record<HomeTrouble, string> = {
  'read-only': 'remount it writable',
  'not-allowed': 'run as the user who owns it',
  'not-a-folder': 'put a folder there',
  newer: 'use the newer domsnap',
  'no-room': 'make some megabytes of room there; then type it again',
  other: 'see to what is wrong there',
};

/** Another home has no heads: a domain that is taken in again there would write into its bases. */
function badHome({ message, trouble, holdsJournal }: HomeError): Failure {
  const rest = holdsJournal
    ? '; do not start its domains by hand meanwhile: to which images they write is written down in this home alone'
    : ', or name another folder by --home or DOMSNAP_HOME';
  const code = trouble === 'no-room' ? 'no-space' : 'bad-home';
  return failure(EXIT.refused, code, message, `${MENDS[trouble]}${rest}`);
}

function journalFailed({ message, full }: JournalFailedError): Failure {
  const mend = full ? 'make room in the home folder' : 'see to the disk of the home folder';
  const now = [
    'An operation that was under way stays open, and was not gone on with; its guest was let run.',
    'Nothing was written again: after a failed write only a new process knows what is on the disk.',
  ].join('\n');
  const hint = `${mend}; then 'domsnap recover' brings it to its end`;
  return failure(EXIT.attention, full ? 'journal-full' : 'journal-failed', message, hint, now);
}

function busy(error: BusyError | SubjectBusyError): Failure {
  const id = error.operation?.id;
  const watch =
    id === undefined ? '' : `; ${typed('log', '--operation', id, '--follow')} watches it`;
  return failure(EXIT.busy, 'busy', error.message, `--wait waits until it is free${watch}`);
}

/** What a wrong command line is answered with. */
function usageFailure({ code, message }: CommanderError): Failure {
  const [first = '', ...rest] = message.replace(/^error: /, '').split('\n');
  const dash = code === 'commander.unknownOption' && !first.includes("'--");
  const hints = [
    ...rest.map(line => line.replace(/^\((.*)\)$/, '$1')),
    ...(dash ? ['a name cannot begin with a dash'] : []),
    '--help shows how it is used',
  ];
  return failure(EXIT.usage, code.replace('commander.', ''), first, hints.join('; '));
}
