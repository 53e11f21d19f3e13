import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type Daemon, spawnDaemon } from '../../src/tools/daemon.ts';
import { terminate } from '../../src/tools/process.ts';
import { socketOwner } from '../../src/tools/socket-owner.ts';
import { tempFolder } from './temp-folder.ts';

const quiet = () => {};

/** A QEMU without a machine: all of QMP, nothing to run. Ends with the test. */
export async function startQemu(): Promise<{ path: string; daemon: Daemon }> {
  const folder = tempFolder();
  const path = join(folder, 'qmp.sock');
  const machine = ['-accel', 'tcg', '-machine', 'none', '-nodefaults', '-display', 'none'];
  const daemon = await spawnDaemon(
    ['qemu-system-x86_64', ...machine, '-qmp', `unix:${path},server=on,wait=off`],
    { log: quiet, logFile: join(folder, 'qemu.log') },
  );
  onTestFinished(() =>
    terminate(daemon.pid, daemon.startTicks ?? 0, { graceMs: 2000, log: quiet }),
  );
  // Between bind and listen the path is there already, and refuses.
  while (socketOwner(path) === null) await sleep(10);
  return { path, daemon };
}
