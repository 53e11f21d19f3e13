import { renameSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { connectQmp } from '../../src/tools/qmp.ts';
import { behindItsBack, tools } from '../lab/cases/harness.ts';
import type { CampaignWorld } from './campaign-world.ts';
import { aWhile, type Fault, ofARunningGuest, type Preparation, type Undo } from './fault.ts';

/** Somebody else's commands, and a monitor that hangs up. */
export const OF_MONITORS: readonly Fault[] = [
  {
    name: 'foreign cont',
    suits: ofARunningGuest,
    patient: true,
    holdMs: () => 0,
    prepare: listenForStop,
    async strike({ command, chance }, { stopped, tell }) {
      const ended = command.exited.then(() => 'ended');
      if ((await Promise.race([stopped, ended])) === 'ended') return null;
      if (chance.next() < 0.5) await new Promise(resolve => setTimeout(resolve, chance.below(20)));
      await tell?.('cont');
      return { undo: () => {} };
    },
  },
  {
    name: 'foreign stop and cont',
    suits: ofARunningGuest,
    holdMs: aWhile,
    async strike({ world }) {
      if (!(await tell(world, 'stop'))) return null;
      return { undo: async () => void (await tell(world, 'cont')) };
    },
  },
  {
    name: 'closed monitor',
    // Under libvirt it is the daemon's.
    under: 'qemu',
    suits: ofARunningGuest,
    holdMs: chance => (chance.next() < 0.5 ? 0 : aWhile(chance)),
    prepare: standBetween,
    strike(_, { cut }) {
      const undo = cut?.();
      return undo ? { undo } : null;
    },
  },
];

const tell = (world: CampaignWorld, command: string): Promise<boolean> =>
  behindItsBack(world, monitor => monitor.execute(z.unknown(), command)).then(
    () => true,
    () => false,
  );

/** Hear from the second monitor when the guest stops. */
async function listenForStop({ lab }: CampaignWorld): Promise<Preparation> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const path = join(lab.files.folder, 'other.sock');
  const onEvent = ({ event }: { event: string }) => void (event === 'STOP' && resolve());
  const monitor = await connectQmp({ path, deadlineMs: 10_000, onEvent, ...tools });
  return {
    stopped: promise,
    // QEMU may have ended since.
    tell: command =>
      monitor.execute(z.unknown(), command).then(
        () => {},
        () => {},
      ),
    end: () => monitor.close(),
  };
}

/**
 * Stand between domsnap and the monitor: sockets can be renamed, and QEMU listens on behind the other
 * name. A QEMU that is started meanwhile makes a socket of its own, with nobody between.
 */
async function standBetween({ lab }: CampaignWorld): Promise<Preparation> {
  const path = lab.files.monitorSocket;
  const [real, ours] = [`${path}.real`, `${path}.ours`];
  const pairs = new Set<Socket>();
  let mayConnect = true;
  const server = createServer(client => {
    if (!mayConnect) return void client.destroy();
    const monitor = connect(real);
    for (const [one, other] of [
      [client, monitor],
      [monitor, client],
    ] as const) {
      pairs.add(one);
      one.pipe(other);
      one.on('error', () => {});
      one.on('close', () => {
        pairs.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>(resolve => server.listen(ours, resolve));
  const { ino } = statSync(ours);
  renameSync(path, real);
  // Not listened on under this name, which Node would remove at the end, whoever has it then.
  renameSync(ours, path);
  return {
    cut(): Undo {
      mayConnect = false;
      for (const socket of pairs) socket.destroy();
      return () => {
        mayConnect = true;
      };
    },
    end() {
      if (statSync(path, { throwIfNoEntry: false })?.ino === ino) renameSync(real, path);
      for (const socket of pairs) socket.destroy();
      server.close();
    },
  };
}
