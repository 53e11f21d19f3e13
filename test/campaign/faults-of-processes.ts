import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { processStartTicks } from '../../src/tools/process.ts';
import { behindItsBack, guestPid, type World } from '../lab/cases/harness.ts';
import { aWhile, type Fault, ofARunningGuest, type Scene, type Struck } from './fault.ts';
import { toolOf } from './victims.ts';

/** Seconds of silence after which the watchdog of a `hung engine` takes it for hung; it grants one more. */
const HANG_S = 1;
/** By then a watchdog has ended an engine that had a guest stand still, on a busy host too. */
const HUNG_MS = (HANG_S + 1) * 1_000 + 2_500;

/** Processes that stand still, and a person's signals. */
export const OF_PROCESSES: readonly Fault[] = [
  {
    name: 'stalled QEMU',
    suits: ofARunningGuest,
    // One in eight outlasts the deadlines of 10 s.
    holdMs: chance => (chance.next() < 0.125 ? 12_000 : aWhile(chance)),
    strike: ({ world }) => stall(guestPid(world), 'SIGCONT'),
  },
  {
    name: 'hung engine',
    env: { DOMSNAP_WATCHDOG: String(HANG_S) },
    holdMs: chance => (chance.next() < 0.3 ? HUNG_MS : 100),
    strike: scene => hang(scene),
  },
  {
    name: 'stopped tool',
    patient: true,
    holdMs: aWhile,
    async strike({ world, command, chance }) {
      for (; command.running(); await sleep(1)) {
        const stopped = stall(toolOf(world), chance.of(['SIGCONT', 'SIGKILL']));
        if (stopped) return stopped;
      }
      return null;
    },
  },
  // A terminal's signals go to all that it runs, tools too.
  signal('Ctrl-C', ({ command }) => -command.pid, 'SIGINT'),
  signal('Ctrl-C twice', ({ command }) => -command.pid, 'SIGINT', true),
  signal('SIGTERM', ({ command }) => command.pid, 'SIGTERM'),
  signal('terminal closed', ({ command }) => -command.pid, 'SIGHUP', true),
];

function signal(
  name: string,
  target: (scene: Scene) => number,
  kind: NodeJS.Signals,
  twice = false,
): Fault {
  return {
    name,
    holdMs: chance => (twice ? chance.between(20, 600) : 0),
    strike(scene) {
      if (!scene.command.running() || !send(target(scene), kind)) return null;
      const again = () => void (twice && scene.command.running() && send(target(scene), kind));
      return { undo: again };
    },
  };
}

/** Have a process stand still, if it is there; how it goes on, or does not. */
function stall(pid: number | null, ending: 'SIGCONT' | 'SIGKILL'): Struck | null {
  const started = pid === null ? undefined : processStartTicks(pid);
  if (pid === null || started === undefined || !send(pid, 'SIGSTOP')) return null;
  // The pid may be another's by then.
  return { undo: () => void (processStartTicks(pid) === started && send(pid, ending)) };
}

/** The engine does nothing more. A guest that it made stand still must run by the time it is killed here. */
function hang({ world, errand, command }: Scene): Struck | null {
  if (!command.running() || !send(command.pid, 'SIGSTOP')) return null;
  const hungMs = performance.now();
  const undo = async () => {
    while (performance.now() < hungMs + HUNG_MS && (await standsStill(world))) await sleep(50);
    if (!command.running()) return;
    if (errand.before === 'running' && (await standsStill(world))) {
      throw new Error(`I1: the guest stands still ${HUNG_MS} ms after its engine hung`);
    }
    send(command.pid, 'SIGKILL');
  };
  return { undo };
}

const status = z.object({ running: z.boolean(), status: z.string() });

/** What QEMU says of its guest; null where there is none. */
export const statusOf = (world: World): Promise<string | null> =>
  behindItsBack(world, monitor => monitor.execute(status, 'query-status')).then(
    found => found.status,
    () => null,
  );

/** It has been paused, and not by a host that is full. */
export const standsStill = async (world: World): Promise<boolean> =>
  ['paused', 'postmigrate', 'prelaunch'].includes((await statusOf(world)) ?? '');

function send(pid: number, kind: NodeJS.Signals): boolean {
  try {
    process.kill(pid, kind);
    return true;
  } catch {
    return false;
  }
}
