import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { benchSocket, DOMAIN, makeLab, untilBooted } from '../../../src/bench/lab-guest.ts';
import { benchXml } from '../../../src/bench/libvirt-guest.ts';
import type { Lab } from '../../../src/lab/guest.ts';
import { parseValues } from '../../../src/lab/lab-values.ts';
import { processStartTicks, terminate } from '../../../src/tools/process.ts';
import { connectSerial } from '../../../src/tools/serial.ts';
import { ToolError } from '../../../src/tools/tool-error.ts';
import { Libvirtd } from './libvirtd.ts';

const MEMORY_MB = 128;
/** Small: all contents are read again and again. */
const DISK_BYTES = 32 << 20;
const ANSWER_MS = 10_000;
const IMAGES = ['vda.qcow2', 'vdb.qcow2'] as const;

const log = (): void => {};

/** Where the rounds are played: a libvirtd, and a guest that begins every round as it began the first. */
export interface Stage {
  readonly root: string;
  readonly libvirtd: Libvirtd;
  readonly lab: Lab;
  /** The images and all that snapshots add lie here, and nothing else that counts. */
  readonly images: string;
  readonly monitor: string;
}

/** Boot the guest once, and save it: `setScene` then brings it back in a second. */
export async function stageUp(): Promise<Stage> {
  const root = mkdtempSync(join(tmpdir(), 'domsnap-virsh-'));
  let libvirtd: Libvirtd | undefined;
  try {
    libvirtd = await Libvirtd.start(join(root, 'libvirt'));
    const lab = await makeLab(join(root, 'lab'), MEMORY_MB, DISK_BYTES);
    const stage = { root, libvirtd, lab, images: lab.files.folder, monitor: benchSocket(lab) };
    await mkdir(join(root, 'kept'));
    await writeFile(join(root, 'domain.xml'), benchXml(lab, MEMORY_MB, true));
    await libvirtd.virsh('define', join(root, 'domain.xml'));
    // With the UUID that it was given: the saved memory fits no other.
    const given = await libvirtd.virsh('dumpxml', DOMAIN, '--inactive');
    await writeFile(join(root, 'domain.xml'), given);
    await libvirtd.virsh('start', DOMAIN);
    await untilBooted(lab);
    // The agent comes up a little later.
    await agentUp(stage);
    await libvirtd.virsh('save', DOMAIN, join(root, 'kept', 'memory'));
    for (const image of IMAGES) {
      await copyFile(join(stage.images, image), join(root, 'kept', image));
    }
    return stage;
  } catch (error) {
    await stageDown({ root, libvirtd });
    throw error;
  }
}

/** All back to the beginning: no snapshot, no file too many, the guest runs and ticks. */
export async function setScene(stage: Stage): Promise<void> {
  const { libvirtd, root, images } = stage;
  await cleared(stage);
  const keep = new Set(ownFiles(stage));
  for (const name of await readdir(images)) {
    if (!keep.has(name)) await rm(join(images, name), { recursive: true });
  }
  for (const image of IMAGES) await copyFile(join(root, 'kept', image), join(images, image));
  await libvirtd.virsh('define', join(root, 'domain.xml'));
  await libvirtd.virsh('restore', join(root, 'kept', 'memory'));
  await values(stage);
}

/** The files in the images' folder that have nothing to do with snapshots. */
export const ownFiles = ({ lab, monitor }: Stage): string[] =>
  [...Object.values(lab.files), monitor].map(path => path.slice(path.lastIndexOf('/') + 1));

/** Let a guest that was pulled off go on from its first instant: its disks must be those of that time. */
export async function runAgain({ libvirtd, root }: Stage): Promise<void> {
  await libvirtd.virsh('restore', join(root, 'kept', 'memory'));
}

/** The counters in the guest's memory and on its disks, as it says itself. Throws ToolError. */
export async function values({ lab }: Stage, deadlineMs = ANSWER_MS): Promise<Counters> {
  const serial = await connectSerial(lab.files.serialSocket, { deadlineMs });
  try {
    return parseValues(await serial.ask('read')) as unknown as Counters;
  } finally {
    serial.close();
  }
}

/** The counters of the guest; `bad` ones are null. */
export interface Counters {
  readonly mem: number;
  readonly vda: number | null;
  readonly vdb: number | null;
}

/** Have the guest write so many MiB to both disks. Throws ToolError. */
export async function scribble({ lab }: Stage, mb: number): Promise<void> {
  const serial = await connectSerial(lab.files.serialSocket, { deadlineMs: ANSWER_MS });
  try {
    for (const device of ['vda', 'vdb']) await serial.ask(`write ${device} ${mb}`);
  } finally {
    serial.close();
  }
}

/** The guest's QEMU, whatever libvirt thinks of it: the process that was given the bench's monitor. */
export function qemuPid({ monitor }: Pick<Stage, 'monitor'>): number | null {
  for (const pid of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    if (wordsOf(pid).some((word, index) => index > 0 && word.includes(`path=${monitor},`)))
      return Number(pid);
  }
  return null;
}

/** The command line of a process; empty if it is gone. */
export function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** End the guest, the daemons and all files, whatever state they are in. */
export async function stageDown({ root, libvirtd }: Begun): Promise<void> {
  try {
    if (libvirtd) await cleared({ libvirtd, monitor: join(root, 'lab', 'bench.sock') });
  } finally {
    await libvirtd?.close();
    await rm(root, { recursive: true, force: true });
  }
}

/** A stage of which not all may be there yet. */
interface Begun {
  readonly root: string;
  readonly libvirtd: Libvirtd | undefined;
}

/** No domain, and no QEMU of it. Throws NoLibvirtError, when QEMU is gone. */
async function cleared(stage: Pick<Stage, 'libvirtd' | 'monitor'>): Promise<void> {
  const { libvirtd } = stage;
  try {
    await libvirtd.ensure();
    for (const args of [
      ['destroy', DOMAIN],
      ['undefine', DOMAIN, '--snapshots-metadata', '--managed-save'],
    ]) {
      await libvirtd.virsh(...args).catch(onlyToolErrors);
    }
  } finally {
    const left = qemuPid(stage);
    const startTicks = left === null ? null : processStartTicks(left);
    if (left !== null && startTicks !== null)
      await terminate(left, startTicks, { graceMs: 2_000, log });
  }
}

async function agentUp({ libvirtd }: Stage): Promise<void> {
  for (let tries = 60; ; tries -= 1) {
    const ping = '{"execute":"guest-ping"}';
    const answer = await libvirtd.virsh('qemu-agent-command', DOMAIN, ping).catch(onlyToolErrors);
    if (answer) return;
    if (tries === 0) throw new Error("the guest's agent does not answer");
    await sleep(250);
  }
}

/** For what may fail because there is nothing. */
export function onlyToolErrors(error: unknown): undefined {
  if (!(error instanceof ToolError)) throw error;
}
