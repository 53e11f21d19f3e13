import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { type Lab, labUp } from '../lab/guest.ts';
import { connectSerial } from '../tools/serial.ts';
import { log } from './say.ts';

/** The name of the domain in every bench. */
export const DOMAIN = 'bench';

/** How much of the guest's memory holds what cannot be compressed or guessed. */
const FILLED_PERCENT = 60;
const BOOT_MS = 120_000;
const FILL_MS = 300_000;

/** The socket of the bench's own monitor. */
export const benchSocket = ({ files }: Lab): string => join(files.folder, 'bench.sock');

/** Make a lab guest of two qcow2 disks, with a monitor for the bench beside domsnap's; starts nothing. */
export async function makeLab(folder: string, memoryMb: number, sizeBytes?: number): Promise<Lab> {
  await mkdir(folder, { recursive: true });
  const disks = [
    { device: 'vda', format: 'qcow2', content: 'fs', sizeBytes },
    { device: 'vdb', format: 'qcow2', content: 'raw', sizeBytes },
  ] as const;
  const lab = await labUp({ folder, name: DOMAIN, memoryMb, disks }, { log });
  const { domainFile } = lab.files;
  const file = parse(await readFile(domainFile, 'utf8'));
  file.arguments.push('-chardev', `socket,id=bench,path=${benchSocket(lab)},server=on,wait=off`);
  file.arguments.push('-mon', 'chardev=bench,mode=control');
  await writeFile(domainFile, stringify(file));
  return lab;
}

/** Wait until the guest ticks, then fill its memory. */
export async function settle(lab: Lab, memoryMb: number): Promise<void> {
  await untilBooted(lab);
  const answer = await ask(lab, `fill ${FILLED_PERCENT}`, FILL_MS);
  if (!/^filled=\d+$/.test(answer)) throw new Error(`the guest's memory was not filled: ${answer}`);
  await dirty(lab, memoryMb, false);
  await sleep(1_000);
}

/** Wait until the guest that was started last ticks. */
export async function untilBooted({ files }: Lab): Promise<void> {
  const untilMs = performance.now() + BOOT_MS;
  for (;;) {
    const said = readFileSync(files.consoleLog, { encoding: 'utf8', flag: 'a+' });
    if (said.includes('ticking after')) return;
    if (performance.now() > untilMs)
      throw new Error(`the guest does not tick: ${said.slice(-500)}`);
    await sleep(100);
  }
}

/** Forget what the console said, before the guest is started again. */
export const forgetConsole = ({ files }: Lab): Promise<void> =>
  rm(files.consoleLog, { force: true });

/** How much memory a guest rewrites: an eighth of it, and at most 50 MiB of that a second. */
const dirtied = (memoryMb: number) => {
  const areaMb = Math.floor(memoryMb / 8);
  return { areaMb, perSecondMb: Math.min(areaMb, 50) };
};

/**
 * Have the guest rewrite memory for as long as it runs, or let it be idle. The area is there in both
 * cases, so that they differ in nothing else. Answers what it does.
 */
export async function dirty(lab: Lab, memoryMb: number, writing: boolean): Promise<string> {
  const { areaMb, perSecondMb } = dirtied(memoryMb);
  const answer = await ask(lab, `dirty ${areaMb} ${writing ? perSecondMb : 0}`, FILL_MS);
  if (!answer.startsWith('dirty=')) throw new Error(`the guest does not dirty memory: ${answer}`);
  return `${perSecondMb} MiB/s over ${areaMb} MiB`;
}

async function ask({ files }: Lab, command: string, deadlineMs: number): Promise<string> {
  const serial = await connectSerial(files.serialSocket, { deadlineMs });
  try {
    return await serial.ask(command);
  } finally {
    serial.close();
  }
}
