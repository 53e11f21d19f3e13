import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Session } from '../../src/operations/session.ts';
import { meddled } from '../lab/cases/meddle.ts';
import { onRequests, sendLine } from '../tools/fake-server.ts';

/** What an agent makes of a command: an answer, or whatever it does to its socket instead. */
export type Manner = (guest: FakeGuest, socket: Socket) => unknown;

/** A guest with three file systems, as its agent tells of it. */
export interface FakeGuest {
  frozen: number;
  /** The commands that reached it, but for the handshake. */
  readonly asked: string[];
  /** How it takes commands; what is not here it takes honestly. */
  manners: Record<string, Manner>;
}

const FILESYSTEMS = 3;

/** A manner that answers nothing. */
export const SILENT = Symbol('silent');

const honest: Record<string, Manner> = {
  'guest-fsfreeze-status': ({ frozen }) => (frozen > 0 ? 'frozen' : 'thawed'),
  'guest-fsfreeze-freeze': guest => {
    guest.frozen = FILESYSTEMS;
    return FILESYSTEMS;
  },
  'guest-fsfreeze-thaw': guest => {
    const { frozen } = guest;
    guest.frozen = 0;
    return frozen;
  },
};

/**
 * An agent in the place of the domain's own, which nobody in the firmware is: whoever opens the path gets
 * this one.
 */
export async function fakeAgent(
  path: string,
  atEnd: (clean: () => void) => void = onTestFinished,
): Promise<FakeGuest> {
  const guest: FakeGuest = { frozen: 0, asked: [], manners: {} };
  const sockets = new Set<Socket>();
  rmSync(path, { force: true });
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    onRequests(socket, ({ execute, arguments: args }) => {
      if (execute === 'guest-sync-delimited') {
        sendLine(socket, { return: (args as { id: number }).id });
        return;
      }
      guest.asked.push(execute);
      const manner = guest.manners[execute] ?? honest[execute];
      const answer = manner?.(guest, socket);
      if (answer instanceof Error) {
        sendLine(socket, { error: { class: 'GenericError', desc: answer.message } });
      } else if (answer !== SILENT) sendLine(socket, { return: answer });
    });
  });
  await new Promise<void>(resolve => server.listen(path, resolve));
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return guest;
}

/** The plan is told that an agent is there, which the firmware's guest has none of. */
export const withAgent = (session: Session): Session =>
  meddled(session, {
    view: view => ({ ...view, agent: { answers: true, why: 'a test answers' } }),
  });
