import { dirname, resolve } from 'node:path';
import type { Domain } from '../catalog/model.ts';
import {
  addDomain,
  removeDomain,
  startDomain,
  stopDomain,
  viewDomain,
} from '../operations/domains.ts';
import type { Session } from '../operations/session.ts';
import { toRefusal } from '../operations/to-refusal.ts';
import { misused } from '../plan/refusal.ts';
import { typed } from '../plan/typed.ts';
import type { DomainView } from '../toolstacks/port.ts';
import type { QemuDomainConfig } from '../toolstacks/qemu/domain-config.ts';
import { parseDomainFile } from '../toolstacks/qemu/domain-file.ts';
import { domainText } from './domain-text.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { columns } from './format.ts';
import type { Invocation } from './invocation.ts';
import { withReading, withSession } from './open-home.ts';
import { json, out, stylist } from './output.ts';
import { readInput } from './read-input.ts';
import { waitingOf } from './waiting.ts';

/** The options of the commands that wait for a domain. */
export interface DomainOptions {
  readonly wait?: number | true | undefined;
  readonly paused?: true | undefined;
}

/** What `domsnap domain add` is told: a file, or where else the domain is known. */
export interface AddOptions {
  readonly file?: string | undefined;
  readonly libvirt?: string | undefined;
  readonly connect?: string | undefined;
}

/** `domsnap domain add FILE`, `domsnap domain add --libvirt NAME`. */
export function domainAdd(call: Invocation, options: AddOptions): Promise<Exit> {
  const { file, libvirt, connect } = options;
  if (file !== undefined && libvirt === undefined && connect === undefined) {
    return addFile(call, file);
  }
  if (file === undefined && libvirt !== undefined) return addLibvirt(call, libvirt, connect);
  const hint = "'domsnap domain add FILE' or 'domsnap domain add --libvirt NAME'";
  throw misused('bad-arguments', 'name a domain file, or a domain of libvirt', hint);
}

async function addFile(call: Invocation, file: string): Promise<Exit> {
  const config = parseDomainFile(
    await readInput(file, 'bad-domain-file', `the domain file ${file}`),
    dirname(resolve(file)),
  );
  return withSession(call, async session => {
    const disks = config.disks.map(({ device, path, format }) => ({
      device,
      head: { path, format },
    }));
    const added = { name: config.name, toolstack: 'qemu' as const, config, disks };
    const { domain, updated } = await addDomain(session, added);
    if (call.json) json({ ok: true, domain: domainJson(domain), updated });
    else {
      const what = updated ? 'taken up again, with its heads and snapshots' : 'added';
      out(`${config.name} is ${what}; ${typed('domain', 'start', config.name)} runs it`);
    }
    return EXIT.done;
  });
}

async function addLibvirt(
  call: Invocation,
  name: string,
  connect: string | undefined,
): Promise<Exit> {
  const { discoverDomain } = await import('../toolstacks/libvirt/discover.ts');
  const { config, disks, others } = await toRefusal(() => discoverDomain(name, connect));
  return withSession(call, async session => {
    const heads = disks.map(({ device, volume }) => ({ device, head: volume }));
    const added = { name, toolstack: 'libvirt' as const, config, disks: heads };
    const { domain, updated } = await addDomain(session, added);
    if (call.json) json({ ok: true, domain: domainJson(domain), updated, others });
    else {
      const what = updated ? 'taken up again, with its heads and snapshots' : 'added';
      out(`${name} is ${what}; ${typed('create', name)} takes a snapshot of it`);
      for (const { device, why } of others) out(`  ${device} is in no snapshot: ${why}`);
    }
    return EXIT.done;
  });
}

/** `domsnap domain list`: every domain, and how it stands. */
export function domainList(call: Invocation): Promise<Exit> {
  return withReading(call, async session => {
    const domains = await Promise.all(
      session.catalog
        .domains()
        .map(async domain => ({ domain, ...(await stateOf(session, domain)) })),
    );
    if (call.json) {
      const found = domains.map(({ domain, state, why }) => ({
        ...domainJson(domain),
        state,
        why,
      }));
      json({ ok: true, domains: found });
    } else if (domains.length === 0) {
      out(`there are no domains; 'domsnap domain add FILE' adds one`);
    } else {
      const style = stylist(process.stdout);
      const heading = ['DOMAIN', 'STATE', 'DISKS', 'CURRENT'].map(title => style('dim', title));
      const rows = domains.map(({ domain, state, why }) => [
        style('bold', domain.name),
        state === 'running'
          ? style('green', state)
          : why
            ? style('red', `${state}: ${why}`)
            : state,
        domain.disks.map(({ device }) => device).join(', '),
        domain.current ?? '-',
      ]);
      out(columns([heading, ...rows]).join('\n'));
    }
    return EXIT.done;
  });
}

/** `domsnap domain show`. */
export function domainShow(call: Invocation, name: string): Promise<Exit> {
  return withReading(call, async session => {
    const { domain, view } = await viewDomain(session, name);
    if (call.json) json({ ok: true, domain: domainJson(domain), view });
    else out(domainText(domain, view, stylist(process.stdout)));
    return EXIT.done;
  });
}

/** `domsnap domain start`. */
export function domainStart(call: Invocation, name: string, options: DomainOptions): Promise<Exit> {
  return withSession(call, async session => {
    const paused = options.paused === true;
    const view = await startDomain(session, name, { ...waitingOf(options.wait), paused });
    tellState(call, name, view);
    return EXIT.done;
  });
}

/** `domsnap domain stop`. */
export function domainStop(call: Invocation, name: string, options: DomainOptions): Promise<Exit> {
  return withSession(call, async session => {
    await stopDomain(session, name, waitingOf(options.wait));
    tellState(call, name, { runState: 'off', rawState: 'off' });
    return EXIT.done;
  });
}

/** `domsnap domain remove`. */
export function domainRemove(call: Invocation, name: string): Promise<Exit> {
  return withSession(call, async session => {
    const { catalog } = session;
    // As they are under the lock that the removal holds: without snapshots nothing else moves them.
    const before = catalog.domain(name);
    await removeDomain(session, name);
    const heads = before ? headsLeft(before) : [];
    if (call.json) json({ ok: true, domain: name, heads });
    else out(removedText(name, heads));
    return EXIT.done;
  });
}

/** Where a disk's content is, and which file the domain file names for it. */
interface HeadLeft {
  readonly device: string;
  readonly path: string;
  readonly format: string;
  /** The path that the domain file names; null where it does not name the disk. */
  readonly inFile: string | null;
}

function headsLeft({ config, disks }: Domain): HeadLeft[] {
  const { disks: named } = config as unknown as Partial<Pick<QemuDomainConfig, 'disks'>>;
  return disks.map(({ device, head: { path, format } }) => {
    const inFile = !named ? path : (named.find(disk => disk.device === device)?.path ?? null);
    return { device, path, format, inFile };
  });
}

/** Only the catalog knew its heads: whoever starts it by hand, or takes it in again, needs them. */
function removedText(name: string, heads: readonly HeadLeft[]): string {
  const moved = heads.filter(({ path, inFile }) => path !== inFile);
  const rows = heads.map(({ device, path, format, inFile }) => [
    `  ${device}`,
    `${path} (${format})`,
    path === inFile ? '' : inFile === null ? 'not in its file' : `its file names ${inFile}`,
  ]);
  return [
    `${name} is forgotten; its images and its history stay. Its disks are:`,
    ...columns(rows),
    ...(moved.length > 0
      ? ['  → write these paths and formats into its domain file before it is used again']
      : []),
  ].join('\n');
}

/** One domain that does not answer must not hide the others. */
async function stateOf(
  session: Session,
  { name }: Domain,
): Promise<{ state: string; why: string | null }> {
  try {
    const { view } = await viewDomain(session, name);
    return { state: view.runState === 'other' ? view.rawState : view.runState, why: null };
  } catch (error) {
    return { state: 'unknown', why: error instanceof Error ? error.message : String(error) };
  }
}

function tellState(
  call: Invocation,
  name: string,
  { runState, rawState }: Pick<DomainView, 'runState' | 'rawState'>,
): void {
  if (call.json) json({ ok: true, domain: name, state: runState });
  else {
    const now = { running: 'runs', paused: 'stands still', off: 'is off', other: `is ${rawState}` };
    out(`${name} ${now[runState]}`);
  }
}

function domainJson({ name, toolstack, config, disks, current, addedAt }: Domain): object {
  return { name, toolstack, config, disks, current, addedAt: new Date(addedAt).toISOString() };
}
