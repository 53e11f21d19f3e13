import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { inNamespace } from './small-disk.ts';

const SCRIPT = new URL('failing-disk.ts', import.meta.url).pathname;

/** Run the script in a home that is a disk of its own, one that fails. */
function onDisk(mode: string, setUp: string): Record<string, unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'domsnap-disk-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return inNamespace(folder, setUp, SCRIPT, [mode]) as Record<string, unknown>;
}

const SMALL = 'mount -t tmpfs -o size=8m,mode=700 tmpfs "$1"';

test('an operation that fills the disk of its journal is rolled back and recorded: the ballast makes room', () => {
  expect(onDisk('full', SMALL)).toEqual({
    first: 'rolledBack',
    acts: ['reserve', 'halt', 'copy', 'go', 'drop', 'release'],
    ballast: false,
    // Without a ballast nothing new begins; when there is room, it is there again.
    beginsFull: expect.stringMatching(/^NoRoomError: there is no room for the journal/),
    after: { later: 'not asked', acts: [], begins: 'no error', ballastAgain: true },
    faults: 0,
  });
});

test('without the ballast it would stay open: the guest is let run, and nothing is written again', () => {
  const failed = expect.stringMatching(/^JournalFailedError.*full, then JournalFailedError/);
  expect(onDisk('no-ballast', SMALL)).toMatchObject({
    first: failed,
    acts: ['reserve', 'halt', 'copy', 'go'],
    after: { later: 'committed' },
    faults: 0,
  });
});

/** A disk that takes writes, and cannot keep them: its fsync fails. Needs loop devices, thus root. */
const LYING = [
  'mkdir "$1/host" "$1/disk"',
  'mount -t tmpfs -o size=4m tmpfs "$1/host"',
  'truncate -s 64M "$1/host/image"',
  'mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=1,nodiscard "$1/host/image"',
  'mount -o loop "$1/host/image" "$1/disk"',
].join('; ');

test('a failed fsync ends the operation where it is, the guest runs, and it is never tried again', () => {
  expect(onDisk('fails', `${LYING}; mount --bind "$1/disk" "$1"`)).toEqual({
    failed: expect.stringMatching(/^JournalFailedError: .*disk I\/O error/),
    errcode: 1034, // SQLITE_IOERR_FSYNC
    first: expect.stringMatching(/^JournalFailedError: .*, then JournalFailedError: /),
    acts: ['reserve', 'halt', 'copy', 'go'],
  });
});

test('a write that the kernel refuses (EFBIG) ends it alike', () => {
  expect(onDisk('fails', 'ulimit -f 16000')).toEqual({
    failed: expect.stringMatching(/^JournalFailedError: .*disk I\/O error/),
    errcode: 778, // SQLITE_IOERR_WRITE
    first: expect.stringMatching(/^JournalFailedError: .*, then JournalFailedError: /),
    acts: ['reserve', 'halt', 'copy', 'go'],
  });
});
