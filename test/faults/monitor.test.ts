import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runRequest } from '../../src/operations/run-request.ts';
import type { Session } from '../../src/operations/session.ts';
import { flood } from '../tools/fake-server.ts';
import { hasty, SOON } from './hasty.ts';
import { DOMAIN, type FaultHost, faultHost, operate, start } from './host.ts';
import { assertWhole } from './whole.ts';

type Trick = (client: Socket, qemu: Socket, line: string) => void;

/** A monitor between domsnap and QEMU, which plays a trick when a command passes, once. */
interface Between {
  trick: { readonly at: string; readonly play: Trick } | null;
  played: boolean;
}

/** Put one in the place of the domain's monitor; it talks to the second one. */
async function between(
  { config, folder }: FaultHost,
  atEnd: (clean: () => void) => void,
): Promise<Between> {
  const state: Between = { trick: null, played: false };
  const sockets = new Set<Socket>();
  rmSync(config.monitor);
  const server = createServer(client => {
    const qemu = connect(join(folder, 'other.sock'));
    for (const [one, other] of [
      [client, qemu],
      [qemu, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
    qemu.on('data', data => void client.write(data));
    let held = '';
    client.on('data', data => {
      const lines = (held + data.toString()).split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) {
        const { trick } = state;
        if (trick && !state.played && line.includes(`"${trick.at}"`)) {
          state.played = true;
          trick.play(client, qemu, line);
        } else qemu.write(`${line}\n`);
      }
    });
  });
  await new Promise<void>(resolve => server.listen(config.monitor, resolve));
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return state;
}

const event = JSON.stringify({ event: 'E', timestamp: { seconds: 1, microseconds: 0 } });
const TRICKS: Readonly<Record<string, Trick>> = {
  'stalls, and does it': (_, qemu, line) => {
    qemu.pause();
    qemu.write(`${line}
`);
  },
  'stalls, and does not do it': () => {},
  'answers with noise': client => void client.write('\x00\xff{"return": \n'),
  'hangs up behind it': (client, qemu, line) => {
    qemu.write(`${line}\n`);
    setTimeout(() => client.destroy(), 50);
  },
  'hangs up before it': client => void client.destroy(),
  floods: client => void flood(client, Buffer.from(`${event}\n`.repeat(500)), 1 << 30),
};
const PLACES = ['stop', 'transaction', 'cont'] as const;

describe('F22: a monitor that misbehaves once', () => {
  let host: FaultHost;
  let monitor: Between;
  const cleanups: (() => unknown)[] = [];
  const atEnd = (clean: () => unknown) => void cleanups.unshift(clean);
  beforeAll(async () => {
    host = await faultHost({ atEnd });
    await start(host);
    monitor = await between(host, atEnd);
  });
  afterAll(async () => {
    for (const clean of cleanups) await clean();
  });

  const tricks = Object.keys(TRICKS);
  test.each(PLACES.flatMap(at => tricks.map(how => ({ at, how }))))(
    'at $at: it $how; the guest runs, done or as before',
    async ({ at, how }) => {
      monitor.trick = { at, play: TRICKS[how]! };
      monitor.played = false;
      const session: Session = hasty(host.session, { ...SOON, 30000: 1_000, 60000: 1_500 });
      const wish = { operation: 'create', domain: DOMAIN, name: 's1', memory: 'none' } as const;
      const { outcome, failures } = await runRequest(session, wish);
      expect(monitor.played).toBe(true);
      expect(['committed', 'rolledBack'], JSON.stringify(failures)).toContain(outcome);
      await assertWhole(host, { runState: 'running' });
      for (const { name } of host.session.catalog.snapshots(DOMAIN)) {
        await operate(host, { operation: 'delete', name });
      }
    },
  );
});
