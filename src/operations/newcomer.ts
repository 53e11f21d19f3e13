import type { Domain } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { misused, RefusedError, refuse } from '../plan/refusal.ts';
import type { Request } from '../plan/request.ts';
import { typed } from '../plan/typed.ts';
import type { DiscoveredDomain } from '../toolstacks/libvirt/discover.ts';
import { addDomain, type NewDomain } from './domains.ts';
import { planRequest } from './run-request.ts';
import type { Session, Waiting } from './session.ts';

/** A libvirt that hangs must not hold up who has only mistyped a name: for each of two calls. */
const ASK_MS = 5_000;

/** A domain that libvirt knows, and the catalog does not. */
export interface Newcomer {
  readonly added: NewDomain;
  /** Which libvirt knows it. */
  readonly connect: string;
  readonly others: DiscoveredDomain['others'];
}

/**
 * A domain as it would be added, where libvirt knows it and the catalog does not; undefined where the
 * catalog has it. `connect` names the libvirt; undefined: the one that virsh itself would take. Adds
 * nothing. Throws RefusedError: nobody knows it, or `connect` names another one than the catalog has.
 */
export async function newcomer(
  session: Session,
  name: string,
  connect: string | undefined,
): Promise<Newcomer | undefined> {
  const known = session.catalog.domain(name);
  if (!known) return await fromLibvirt(name, connect).catch(error => throwUnknown(name, error));
  if (connect !== undefined) await refuseOther(known, connect);
  return undefined;
}

/** The session of somebody who knows it: for what only looks. Nothing is written. */
export function withNewcomer(session: Session, { added }: Newcomer): Session {
  const { catalog, clock } = session;
  const domain: Domain = { ...added, current: null, addedAt: clock.now() };
  const seen = (name: string) => catalog.domain(name) ?? (name === added.name ? domain : undefined);
  return { ...session, catalog: { ...catalog, domain: seen } };
}

/** Take it in; somebody who was faster has done no worse. Throws RefusedError, BusyError. */
export async function takeIn(
  session: Session,
  { added }: Newcomer,
  waiting: Waiting,
): Promise<void> {
  await addDomain(session, added, { ...waiting, onlyNew: true });
}

/** A request that is refused must not have added the domain: it is planned before. Throws RefusedError. */
export async function refuseInVain(
  session: Session,
  newcomer: Newcomer,
  request: Request,
): Promise<void> {
  const { plan } = await planRequest(withNewcomer(session, newcomer), request);
  if (plan.refusals.length > 0) throw new RefusedError(plan.refusals);
}

async function fromLibvirt(name: string, connect: string | undefined): Promise<Newcomer> {
  const { discoverDomain } = await import('../toolstacks/libvirt/discover.ts');
  const { config, disks, others } = await discoverDomain(name, connect, ASK_MS);
  const heads = disks.map(({ device, volume }) => ({ device, head: volume }));
  const added = { name, toolstack: 'libvirt' as const, config, disks: heads };
  return { added, connect: config.connect ?? '', others };
}

const UNKNOWN = new Set(['no-domain', 'no-libvirt', 'other-libvirt', 'timeout']);

/** Where it was looked for, and what to type. */
function throwUnknown(name: string, error: unknown): never {
  if (!(error instanceof StepError)) throw error;
  if (!UNKNOWN.has(error.code)) throw refuse(error.code, error.message);
  const message = `there is no domain ${JSON.stringify(name)}`;
  const own = `'domsnap domain list' shows those there are; 'domsnap domain add FILE' adds one`;
  const libvirts =
    error.code === 'no-domain'
      ? `libvirt was asked, too (${error.message}): 'virsh list --all' shows those it knows, --connect names another one`
      : `libvirt could not be asked (${error.message}); --connect names another one`;
  throw refuse('unknown-domain', message, `${own}; ${libvirts}`);
}

/** A name that means another domain than the one that was asked for must not be worked on. */
async function refuseOther({ name, toolstack, config }: Domain, connect: string): Promise<void> {
  const { uuid, connect: own } = config as { uuid?: string; connect?: string };
  if (toolstack === 'libvirt' && own === connect) return;
  const other = (message: string) =>
    misused('other-libvirt', message, `without --connect, ${name} is the one that is known here`);
  if (toolstack !== 'libvirt') {
    throw other(`${name} is a domain of a domain file here, not one of ${connect}`);
  }
  const asked = await fromLibvirt(name, connect).catch(error => throwUnknown(name, error));
  if ((asked.added.config as { uuid?: string }).uuid === uuid) return;
  throw other(
    `${name} is a domain of ${own} here, and not the one of ${connect}; ${typed('domain', 'show', name)} shows it`,
  );
}
