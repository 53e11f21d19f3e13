import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PIPE_FD, pipeOut } from '../../src/tools/pipe-out.ts';

const log = () => {};
const limits = { log, deadlineMs: 10_000 };

describe('a pipe that is passed on', () => {
  let folder: string;
  let report: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'domsnap-pipe-'));
    report = join(folder, 'report');
    writeFileSync(report, '');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const until = async (done: () => boolean) => {
    for (let tries = 200; !done() && tries > 0; tries -= 1) await sleep(20);
  };

  test('what holds its end writes on after the program that passed it, and the sink reads all', async () => {
    const out = join(folder, "it's here");
    const program = ['sh', '-c', `(sleep 0.3; echo late >&${PIPE_FD}) & exit 0`] as const;
    const sink = { script: 'cat > "$1"; echo done >&3', args: [out], report };
    await pipeOut(program, sink, limits);
    expect(readFileSync(report, 'utf8')).toBe('');
    await until(() => readFileSync(report, 'utf8') !== '');
    expect(readFileSync(out, 'utf8')).toBe('late\n');
    expect(readFileSync(report, 'utf8')).toBe('done\n');
  });

  test('a program that fails tells why, and the sink ends', async () => {
    const program = ['sh', '-c', 'echo error: no such domain >&2; exit 3'] as const;
    const sink = { script: 'cat >/dev/null; echo ended >&3', args: [], report };
    await expect(pipeOut(program, sink, limits)).rejects.toMatchObject({
      code: 'failed',
      message: 'sh failed (3): no such domain',
    });
    await until(() => readFileSync(report, 'utf8') !== '');
    expect(readFileSync(report, 'utf8')).toBe('ended\n');
  });

  test('a program that hangs is ended, with the sink', async () => {
    const mark = join(folder, 'mark');
    const program = ['sh', '-c', `sleep 2; touch ${mark}`] as const;
    const sink = { script: 'cat >/dev/null', args: [], report };
    const late = pipeOut(program, sink, { log, deadlineMs: 200 });
    await expect(late).rejects.toMatchObject({ code: 'timeout' });
    await sleep(2_300);
    expect(existsSync(mark)).toBe(false);
  });
});
