import { mkdtempSync, readFileSync } from 'node:fs';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { thisProcess } from '../../../src/engine/who.ts';
import { type Lab, labUp } from '../../../src/lab/guest.ts';
import { parseValues } from '../../../src/lab/lab-values.ts';
import { addDomain, startDomain } from '../../../src/operations/domains.ts';
import { openSession } from '../../../src/operations/open-session.ts';
import type { Session } from '../../../src/operations/session.ts';
import { processStartTicks, terminate } from '../../../src/tools/process.ts';
import { connectQmp, type Qmp } from '../../../src/tools/qmp.ts';
import { connectSerial } from '../../../src/tools/serial.ts';
import { parseDomainFile } from '../../../src/toolstacks/qemu/domain-file.ts';
import { processOfPidFile } from '../../../src/toolstacks/qemu/process.ts';
import type { Proof } from './contents.ts';
import type { Storage } from './storages.ts';

/** Nobody reads the calls of the tests' own tools. */
export const tools = { log: () => {} };

/** What looks after the guest's QEMU. */
export interface Keeper {
  readonly name: 'qemu' | 'libvirt';
  /** The guest's process, or null. */
  readonly pid: (world: World) => number | null;
  /** Under which name domsnap keeps its notes of the running domain. */
  readonly notesOf: (world: World) => string;
  /** Where QEMU says why it ends. */
  readonly logOf: (world: World) => string;
  /** Take the domain in, or take up what has changed of it. */
  readonly add: (world: World) => Promise<void>;
  /** What it says of the domain's disks is what the catalog says. */
  readonly agrees: (world: World) => Promise<void>;
  /** Comes back once it answers; what was killed of it is started again. */
  readonly ready: () => Promise<void>;
  /** Forget the domain, whose QEMU is gone, and end what was started for it. */
  readonly down: (world: World) => Promise<void>;
}

/** domsnap itself, by a domain file. */
export const QEMU: Keeper = {
  name: 'qemu',
  pid: ({ session }) => processOfPidFile(join(session.home, 'run', `${DOMAIN}.pid`))?.pid ?? null,
  notesOf: () => DOMAIN,
  logOf: ({ session }) => join(session.home, 'run', `${DOMAIN}.log`),
  add: addFile,
  agrees: async () => {},
  ready: async () => {},
  down: async () => {},
};

/** A lab guest under real QEMU, with domsnap's home beside it. */
export interface World {
  readonly storage: Storage;
  readonly keeper: Keeper;
  readonly root: string;
  readonly lab: Lab;
  readonly session: Session;
  /** What every usable snapshot held when it was published (I3). */
  readonly proofs: Map<string, Proof>;
  /** How often the world has been looked at. */
  checks: number;
}

/** The name of the domain in every world. */
export const DOMAIN = 'lab';

/** What a world may be given beside its storage. */
export interface WorldOptions {
  /** A folder for the images, if they are not to lie in the lab's own. */
  readonly imageFolder?: string;
  /** domsnap's home, if it is not to lie beside the lab. */
  readonly home?: string;
  /** Starts what looks after the guest, below the world's folder. */
  readonly keeper?: (root: string) => Promise<Keeper>;
}

/** Make a lab guest of small disks, add it as a domain, and wait until it ticks (5 s). */
export async function worldUp(storage: Storage, options: WorldOptions = {}): Promise<World> {
  const root = mkdtempSync(join(tmpdir(), 'domsnap-case-'));
  const folder = join(root, 'lab');
  const { disks } = storage;
  const lab = await labUp({ folder, name: DOMAIN, memoryMb: 128, intervalMs: 50, disks }, tools);
  await changeDomainFile(lab, options.imageFolder);
  const keeper = (await options.keeper?.(root)) ?? QEMU;
  const session = openSession({ home: options.home ?? join(root, 'home'), who: thisProcess() });
  const world = { storage, keeper, root, lab, session, proofs: new Map(), checks: 0 };
  try {
    await addAgain(world);
    await startDomain(session, DOMAIN, {});
    await untilBooted(world, 0);
    return world;
  } catch (error) {
    await worldDown(world);
    throw error;
  }
}

/** Take the domain up, as it is now. */
export const addAgain = (world: World): Promise<void> => world.keeper.add(world);

async function addFile({ session, lab }: World): Promise<void> {
  const { domainFile, folder } = lab.files;
  const config = parseDomainFile(readFileSync(domainFile, 'utf8'), folder);
  const disks = config.disks.map(({ device, path, format }) => ({
    device,
    head: { path, format },
  }));
  await addDomain(session, { name: DOMAIN, toolstack: 'qemu', config, disks });
}

/**
 * Give the domain a monitor beside domsnap's own, which is one client's at a time: for what is done
 * behind its back. And move its images, where they are to lie elsewhere.
 */
async function changeDomainFile({ files }: Lab, imageFolder?: string): Promise<void> {
  const domain = parse(await readFile(files.domainFile, 'utf8'));
  const socket = join(files.folder, 'other.sock');
  domain.arguments.push('-chardev', `socket,id=other,path=${socket},server=on,wait=off`);
  domain.arguments.push('-mon', 'chardev=other,mode=control');
  if (imageFolder !== undefined) {
    for (const disk of domain.disks) {
      const from = resolve(files.folder, disk.path);
      disk.path = join(imageFolder, basename(disk.path));
      await copyFile(from, disk.path);
      await rm(from);
    }
  }
  await writeFile(files.domainFile, stringify(domain));
}

/** End the guest, by its pid, and remove everything. */
export async function worldDown(world: World | undefined): Promise<void> {
  if (!world) return;
  await killGuest(world);
  await world.keeper.down(world);
  world.session.close();
  await rm(world.root, { recursive: true, force: true });
}

/** The guest's process, or null. */
export const guestPid = (world: World): number | null => world.keeper.pid(world);

/** Kill QEMU with SIGKILL, as the kernel does when memory is short. */
export async function killGuest(world: World): Promise<void> {
  const pid = guestPid(world);
  if (pid === null) return;
  process.kill(pid, 'SIGKILL');
  await terminate(pid, processStartTicks(pid) ?? 0, { graceMs: 5_000, ...tools });
}

/** Start the guest again, after it was killed or stopped, and wait until it ticks. */
export async function startAgain(world: World): Promise<void> {
  const before = boots(world);
  await startDomain(world.session, DOMAIN, {});
  await untilBooted(world, before);
}

/** Give the guest a command on its serial line. */
export async function ask({ lab }: World, command: string, deadlineMs = 20_000): Promise<string> {
  const serial = await connectSerial(lab.files.serialSocket, { deadlineMs });
  try {
    return await serial.ask(command);
  } finally {
    serial.close();
  }
}

/** The counter in the guest's memory, and on its disks as the guest reads them. */
export async function counters(world: World): Promise<Record<'mem' | 'vda' | 'vdb', number>> {
  const { mem, vda, vdb } = parseValues(await ask(world, 'read'));
  return { mem: mem ?? Number.NaN, vda: vda ?? Number.NaN, vdb: vdb ?? Number.NaN };
}

/** The boot that the guest lives in. */
export const nonce = async (world: World): Promise<string> =>
  (await ask(world, 'nonce')).replace('boot=', '');

/** How often the guest has booted. */
export function boots({ lab }: World): number {
  const console = readFileSync(lab.files.consoleLog, { encoding: 'utf8', flag: 'a+' });
  return console.split('ticking after').length - 1;
}

/** Wait until the guest has booted once more than it had before. */
export async function untilBooted(world: World, before: number): Promise<void> {
  const untilMs = performance.now() + 60_000;
  while (boots(world) <= before) {
    if (guestPid(world) === null) throw new Error('the guest is gone, and has not booted');
    if (performance.now() > untilMs) throw new Error('the guest does not tick after 60 s');
    await sleep(50);
  }
}

/** Do something in the second monitor, behind domsnap's back. */
export async function behindItsBack<T>(
  { lab }: World,
  body: (monitor: Qmp) => Promise<T>,
): Promise<T> {
  const path = join(lab.files.folder, 'other.sock');
  const monitor = await connectQmp({ path, deadlineMs: 10_000, ...tools });
  try {
    return await body(monitor);
  } finally {
    monitor.close();
  }
}
