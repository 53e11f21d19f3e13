import {
  type Newcomer,
  newcomer,
  refuseInVain,
  takeIn,
  withNewcomer,
} from '../operations/newcomer.ts';
import type { Session } from '../operations/session.ts';
import { checkName } from '../plan/names.ts';
import type { Request } from '../plan/request.ts';
import type { Invocation } from './invocation.ts';
import type { MutateOptions } from './mutate.ts';
import { say } from './output.ts';
import { waitingOf } from './waiting.ts';

/**
 * The session in which a named domain is known, for a command that only looks: one that libvirt alone
 * knows is seen as it would be added, and is not added. Throws RefusedError where nobody knows it.
 */
export async function seeing(call: Invocation, session: Session, name: string): Promise<Session> {
  const found = await wanted(call, session, name);
  if (!found) return session;
  say(`domsnap: ${name} is not known here yet; it is shown as ${textOf(found)}`);
  return withNewcomer(session, found);
}

/**
 * Have a domain known that a command is about to work on: one that libvirt alone knows is added, unless
 * its request would be refused. Throws RefusedError where nobody knows it.
 */
export async function knowing(
  call: Invocation,
  session: Session,
  name: string,
  { wait, request }: Pick<MutateOptions, 'wait'> & { readonly request?: Request },
): Promise<void> {
  const found = await wanted(call, session, name);
  if (!found) return;
  if (request) await refuseInVain(session, found, request);
  await takeIn(session, found, waitingOf(wait));
  say(`domsnap: ${name} is taken in as ${textOf(found)}`);
}

async function wanted(
  { connect }: Invocation,
  session: Session,
  name: string,
): Promise<Newcomer | undefined> {
  if (session.catalog.domain(name) === undefined) checkName('domain', name);
  return await newcomer(session, name, connect);
}

function textOf({ added, connect, others }: Newcomer): string {
  const disks = added.disks.map(({ device }) => device).join(', ');
  const not = others.map(({ device, why }) => `; ${device} is in no snapshot: ${why}`).join('');
  return `a domain of libvirt's (${connect}), with ${disks}${not}`;
}
