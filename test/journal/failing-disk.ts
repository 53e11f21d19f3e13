import { closeSync, existsSync, fstatSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Saga, saga } from '../../machines/saga.ts';
import { type Engine, resume, start } from '../../src/engine/run.ts';
import { defineStep, StepError, type Steps } from '../../src/engine/step.ts';
import { systemClock } from '../../src/engine/system-clock.ts';
import { thisProcess } from '../../src/engine/who.ts';
import { openJournal } from '../../src/journal/open-journal.ts';
import type { Journal, NewRecord, Operation } from '../../src/journal/port.ts';
import { operation, record } from './samples.ts';

// Run as a process of its own, in a home on a disk that fails: `failing-disk.ts FOLDER full|no-ballast|fails`.
// Says what came of an operation there, as JSON. A write behind RLIMIT_FSIZE is to fail, not to kill.
process.on('SIGXFSZ', () => {});

const [, , home = '', mode = ''] = process.argv;
const filler = join(home, 'filler');
const acts: string[] = [];

/** Take all the room that there is. */
function fill(): void {
  const file = openSync(filler, 'a');
  try {
    for (let bytes = 65_536; bytes >= 1; bytes = Math.floor(bytes / 2)) {
      try {
        for (;;) writeSync(file, Buffer.alloc(bytes, 1));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    if (fstatSync(file).size === 0) throw new Error('the disk was full already');
  } finally {
    closeSync(file);
  }
}

const story: Saga = saga({
  id: 'test',
  version: 1,
  title: 'A case for tests',
  story: '',
  steps: [
    { name: 'reserve', says: '', deadlineMs: 5_000, undo: undo('release') },
    { name: 'halt', says: '', deadlineMs: 5_000, undo: { ...undo('go'), liveness: true } },
    { name: 'copy', says: '', deadlineMs: 5_000, undo: undo('drop') },
    { name: 'publish', says: '', deadlineMs: 5_000, pivot: true },
  ],
});

function undo(name: string) {
  return { name, says: '', deadlineMs: 5_000 };
}

/** Each act; the copy finds the disk full, as a copy does on the disk that it has filled. */
const steps = (copy: () => void): Steps =>
  Object.fromEntries(
    ['reserve', 'release', 'halt', 'go', 'copy', 'drop', 'publish'].map(name => [
      name,
      defineStep({
        input: z.unknown(),
        output: z.unknown(),
        probe: async () => ({ state: 'absent' as const }),
        async act() {
          acts.push(name);
          if (name === 'copy') copy();
          return { output: {} };
        },
      }),
    ]),
  );

function engineOf(journal: Journal): Engine {
  const locks = { tryAcquire: () => ({ release() {} }) };
  return { journal, locks, clock: systemClock, who: thisProcess() };
}

/** Run the operation `op1`, or go on with it. */
async function outcome(copy: (journal: Journal) => void = () => {}): Promise<string> {
  const { journal, close } = openJournal(home);
  const engine = engineOf(journal);
  const run = { saga: story, steps: steps(() => copy(journal)) };
  const open = journal.operation('op1');
  const more = { id: 'op1', subject: 'vm', input: {}, deadlines: {} };
  try {
    const { outcome: came } = await (open
      ? resume(engine, run, 'op1')
      : start(engine, { ...run, ...more }));
    return came;
  } catch (error) {
    const again = () =>
      journal.note(() => {
        acts.push('WRITTEN AGAIN');
      });
    return `${nameOf(error)}, then ${nameOf(attempt(again))}`;
  } finally {
    close();
  }
}

/** Does a new operation begin? */
function begins(id: string): string {
  const { journal, close } = openJournal(home);
  try {
    return nameOf(attempt(() => journal.open(operationOf(id), recordOf(id, 0, 'started'), [])));
  } finally {
    close();
  }
}

const operationOf = (id: string): Operation => ({ ...operation(id, id), caseId: 'test' });
const recordOf = (id: string, seq: number, text: string): NewRecord => ({
  ...record(id, seq),
  from: text,
});

function attempt(body: () => unknown): unknown {
  try {
    body();
    return undefined;
  } catch (error) {
    return error;
  }
}

const nameOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : 'no error';

const ballast = (): boolean => existsSync(join(home, 'ballast'));
const faults = (): number => {
  const { journal, close } = openJournal(home);
  const found = journal.verify().faults.length;
  close();
  return found;
};

async function onFullDisk(): Promise<object> {
  const first = await outcome(() => {
    if (mode === 'no-ballast') rmSync(join(home, 'ballast'));
    fill();
    throw new StepError('no-space', 'the copy found no space', { retryable: false });
  });
  const during = { first, acts: acts.splice(0), ballast: ballast(), beginsFull: begins('op2') };
  rmSync(filler);
  const later = mode === 'no-ballast' ? await outcome() : 'not asked';
  const after = { later, acts: acts.splice(0), begins: begins('op3'), ballastAgain: ballast() };
  return { ...during, after, faults: faults() };
}

/** Records until the disk fails: the operation must not be gone on with, nor anything be written again. */
async function onFailingDisk(): Promise<object> {
  let failed: unknown;
  const first = await outcome(journal => {
    const wide = 'x'.repeat(300_000);
    journal.open(operationOf('op2'), recordOf('op2', 0, 'started'), []);
    for (let seq = 1; seq < 200 && !failed; seq += 1) {
      const options = { durable: true, status: 'open' as const, changes: [] };
      failed = attempt(() => journal.append(recordOf('op2', seq, wide), options));
    }
  });
  const { errcode } = ((failed as Error | undefined)?.cause ?? {}) as { errcode?: number };
  return { failed: nameOf(failed), errcode, first, acts };
}

const said = mode === 'fails' ? await onFailingDisk() : await onFullDisk();
console.log(JSON.stringify(said));
