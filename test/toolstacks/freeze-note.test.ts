import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { StepError } from '../../src/engine/step.ts';
import { forgetFreeze, noteFreeze, unlessTold } from '../../src/toolstacks/qemu/freeze-note.ts';
import type { Life } from '../../src/toolstacks/qemu/life.ts';
import { Notes } from '../../src/toolstacks/qemu/notes.ts';

const silence = new StepError('no-agent', 'the agent does not answer');

/** A domain whose QEMU is one process after the other. */
function domain() {
  const home = mkdtempSync(join(tmpdir(), 'domsnap-freeze-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const notes = new Notes(home, 'web1');
  notes.prepareFolder();
  return (pid: number) =>
    ({ notes, monitor: { process: () => ({ pid, startTicks: 1 }) } }) as unknown as Life;
}

test('a silent agent that an earlier life had told to freeze leaves it in doubt, until it is thawed', () => {
  const lives = domain();
  expect(unlessTold(lives(7), silence)).toBe(silence);
  noteFreeze(lives(7));
  expect(unlessTold(lives(7), silence)).toMatchObject({ code: 'freeze-in-doubt', retryable: true });
  forgetFreeze(lives(7));
  expect(unlessTold(lives(7), silence)).toBe(silence);
});

test('a guest that was started since was never told', () => {
  const lives = domain();
  noteFreeze(lives(7));
  expect(unlessTold(lives(8), silence)).toBe(silence);
});

test('any other error is what it is', () => {
  const lives = domain();
  noteFreeze(lives(7));
  const other = new StepError('off', 'it is off');
  expect(unlessTold(lives(7), other)).toBe(other);
});
