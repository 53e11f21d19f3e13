import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bootSector, counterOnDisk } from './counting-guest.ts';

const DISK_BYTES = 1024 * 1024;

test.each([1, 3])('the guest of 512 bytes counts on all of %d disks', async count => {
  const folder = mkdtempSync(join(tmpdir(), 'domsnap-counting-'));
  const disks = Array.from({ length: count }, (_, index) => join(folder, `${index}.raw`));
  for (const [index, path] of disks.entries()) {
    writeFileSync(path, index === 0 ? bootSector() : '');
    truncateSync(path, DISK_BYTES);
  }
  const drives = disks.flatMap(path => ['-drive', `file=${path},format=raw,if=virtio`]);
  const machine = ['-accel', 'tcg', '-m', '32', '-nodefaults', '-display', 'none'];
  const child = spawn('qemu-system-x86_64', [...machine, ...drives], { stdio: 'inherit' });
  onTestFinished(async () => {
    const gone = once(child, 'exit');
    if (child.kill('SIGKILL')) await gone;
    rmSync(folder, { recursive: true });
  });
  const counters = () => disks.map(path => counterOnDisk(readFileSync(path)));
  await expect.poll(() => Math.min(...counters()), { timeout: 60_000 }).toBeGreaterThan(3);
});
