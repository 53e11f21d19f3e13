import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSink } from '../../src/tools/start-sink.ts';
import { PIPE_FD, type PipeEnd } from '../../src/tools/virsh.ts';

let folder: string;
let report: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'domsnap-sink-'));
  report = join(folder, 'report');
  writeFileSync(report, '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program with the writing end of a pipe, as virsh has it. */
function writer(script: string): PipeEnd {
  const stdio = [...new Array(PIPE_FD).fill('ignore'), 'pipe'];
  return spawn('/bin/sh', ['-c', script], { stdio }).stdio[PIPE_FD as 4] as PipeEnd;
}
const reported = async () => {
  for (let tries = 200; readFileSync(report, 'utf8') === '' && tries > 0; tries -= 1)
    await sleep(20);
  return readFileSync(report, 'utf8');
};

test('a sink reads on after the program that held the pipe, as long as anybody writes', async () => {
  const out = join(folder, "it's here");
  const megabyte = `(sleep 0.3; head -c 1000000 /dev/zero >&${PIPE_FD}; echo late >&${PIPE_FD}) &`;
  const sink = { script: 'cat > "$1"; echo done >&3', args: [out], report };
  await startSink(writer(megabyte), sink, () => {});
  expect(readFileSync(report, 'utf8')).toBe('');
  expect(await reported()).toBe('done\n');
  const read = readFileSync(out);
  expect(read.length).toBe(1_000_005);
  expect(read.subarray(-5).toString()).toBe('late\n');
});

test('a sink ends where nobody writes any more', async () => {
  const sink = { script: 'cat >/dev/null; echo ended >&3', args: [], report };
  await startSink(writer('exit 0'), sink, () => {});
  expect(await reported()).toBe('ended\n');
});
