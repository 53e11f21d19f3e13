import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ToolError } from '../../src/tools/tool-error.ts';
import { stepError } from '../../src/toolstacks/qemu/errors.ts';
import { Notes } from '../../src/toolstacks/qemu/notes.ts';
import { root, smallDiskForTest } from '../faults/sabotage.ts';

const why = 'it was tried';
const burnt = { process: { pid: 1, startTicks: 2 }, why };

function errorOf(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it has not failed');
}

describe('what domsnap notes of a domain’s process', () => {
  test.skipIf(!root)('a home without room: the step fails with no-space, and is no bug', () => {
    const disk = smallDiskForTest(1);
    const notes = new Notes(disk.folder, 'web1');
    notes.prepareFolder();
    disk.fill(0);
    const error = errorOf(() => notes.write({ burnt }));
    expect(stepError(error)).toMatchObject({ code: 'no-space', retryable: true });
    disk.free();
    notes.write({ burnt });
    expect(notes.read()).toEqual({ burnt });
  });

  test.skipIf(!root)('a home without room: to forget needs none', () => {
    const disk = smallDiskForTest(1);
    const notes = new Notes(disk.folder, 'web1');
    notes.write({ burnt });
    disk.fill(0);
    notes.write({ capture: undefined, burnt: undefined });
    expect(notes.read()).toEqual({});
    expect(existsSync(notes.path('json'))).toBe(false);
  });

  test('a home that cannot be written to is a tool’s failure', () => {
    const home = mkdtempSync(join(tmpdir(), 'domsnap-notes-'));
    onTestFinished(() => rmSync(home, { recursive: true }));
    writeFileSync(join(home, 'run'), 'a file where the folder should be');
    const notes = new Notes(home, 'web1');
    expect(errorOf(() => notes.prepareFolder())).toBeInstanceOf(ToolError);
    expect(errorOf(() => notes.write({ burnt }))).toBeInstanceOf(ToolError);
  });
});
