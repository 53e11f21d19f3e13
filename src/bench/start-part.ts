import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../tools/run.ts';
import { listenOnce } from '../tools/socket-listener.ts';
import { CLI } from './command.ts';
import { atMostTimes, type Finding, series } from './findings.ts';
import { DOMAIN } from './lab-guest.ts';
import { log } from './say.ts';
import { smallDomain } from './small-domain.ts';

const COMMAND_MS = 60_000;
const GREETING =
  '{"QMP":{"version":{"qemu":{"micro":0,"minor":2,"major":7},"package":""},"capabilities":["oob"]}}\n';

/** How long the command line takes before it does what it was called for. */
export async function startPart(folder: string, rounds: number): Promise<Finding[]> {
  const { session, home, monitor } = await smallDomain(join(folder, 'start'));
  session.close();
  const node: number[] = [];
  const firstByte: number[] = [];
  const version: number[] = [];
  // The first round fills the caches of Node and of the host.
  for (let round = 0; round <= rounds; round += 1) {
    const bare = await wallOf([process.execPath, '-e', '0']);
    const told = await wallOf([process.execPath, CLI, '--version']);
    const asked = await untilFirstByte(home, monitor);
    if (round === 0) continue;
    node.push(bare);
    version.push(told);
    firstByte.push(asked);
  }
  const common = { part: 'start', memoryMb: null, unit: 'ms' as const, against: '`node -e 0`' };
  const [own, other] = [series(firstByte), series(node)];
  return [
    {
      ...common,
      what: '`create`, until its first byte to QEMU',
      domsnap: own,
      other,
      verdicts: atMostTimes(own, other, 3, '≤ 3 ×'),
    },
    { ...common, what: '`--version`', domsnap: series(version), other, verdicts: [] },
  ];
}

async function wallOf(argv: readonly [string, ...string[]]): Promise<number> {
  const startedMs = performance.now();
  await run(argv, { timeoutMs: COMMAND_MS, log });
  return performance.now() - startedMs;
}

/** What listens greets as QEMU does, and hangs up after the first byte: the command then fails. */
async function untilFirstByte(home: string, monitor: string): Promise<number> {
  await rm(monitor, { force: true });
  const listener = await listenOnce(monitor, GREETING);
  try {
    const startedMs = performance.now();
    const argv = [process.execPath, CLI, 'create', DOMAIN, '--home', home] as const;
    const command = run(argv, { timeoutMs: COMMAND_MS, log, okExits: [1, 2, 3, 4, 5, 6] });
    const [atMs] = await Promise.all([listener.firstByteMs, command]);
    return atMs - startedMs;
  } finally {
    listener.close();
  }
}
