import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { connectQmp, type Qmp } from '../tools/qmp.ts';
import { connectSerial } from '../tools/serial.ts';
import { ToolError } from '../tools/tool-error.ts';
import { LabError } from './lab-error.ts';
import { labFiles } from './lab-files.ts';
import type { LabTools } from './lab-tools.ts';
import { parseValues } from './lab-values.ts';

/** How a lab stands. */
export type LabStatus = {
  readonly folder: string;
  /** `absent`: no lab in the folder; `off`: made, but its guest does not run. */
  readonly state: 'absent' | 'off' | 'running' | 'paused';
  /** The counters in memory and on each disk; null if the guest did not answer within 3 s. */
  readonly counters: Readonly<Record<string, number | null>> | null;
};

const deadlineMs = 3000;

/** Asks the lab's monitor and the guest itself. Throws ToolError, for instance `busy`. */
export async function labStatus(folder: string, tools: LabTools): Promise<LabStatus> {
  const files = labFiles(resolve(folder));
  const status = { folder: files.folder, counters: null };
  if (!existsSync(files.domainFile)) return { ...status, state: 'absent' };
  const monitor = await monitorOrNull(files.monitorSocket, tools);
  if (monitor === null) return { ...status, state: 'off' };
  try {
    const schema = z.object({ running: z.boolean() });
    const { running } = await monitor.execute(schema, 'query-status');
    if (!running) return { ...status, state: 'paused' };
  } finally {
    monitor.close();
  }
  return { ...status, state: 'running', counters: await countersOrNull(files.serialSocket) };
}

/**
 * Ends the lab's guest at once, if it runs, and removes the folder with all that is in it. Whoever
 * has added the lab as a domain removes it from domsnap first.
 * Throws LabError (the folder holds no lab, the guest does not end), ToolError.
 */
export async function labDown(folder: string, tools: LabTools): Promise<void> {
  const files = labFiles(resolve(folder));
  if (!existsSync(files.domainFile)) throw new LabError(`there is no lab in ${files.folder}`);
  const monitor = await monitorOrNull(files.monitorSocket, tools);
  if (monitor !== null) {
    await monitor.execute(z.object({}), 'quit').finally(() => monitor.close());
    await gone(files.monitorSocket, tools);
  }
  await rm(files.folder, { recursive: true });
}

/** Null if no QEMU is behind the socket. */
async function monitorOrNull(path: string, { log, signal }: LabTools): Promise<Qmp | null> {
  try {
    return await connectQmp({ path, deadlineMs, log, signal });
  } catch (error) {
    const nobody = error instanceof ToolError && ['missing', 'refused'].includes(error.code);
    if (nobody) return null;
    throw error;
  }
}

async function gone(path: string, { log, signal }: LabTools): Promise<void> {
  const untilMs = performance.now() + 10_000;
  while (performance.now() < untilMs) {
    try {
      (await connectQmp({ path, deadlineMs, log, signal })).close();
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      if (['missing', 'refused'].includes(error.code)) return;
      if (error.code !== 'closed') throw error;
    }
    await sleep(50);
  }
  throw new LabError(`the guest behind ${path} does not end`);
}

async function countersOrNull(path: string): Promise<LabStatus['counters']> {
  try {
    const serial = await connectSerial(path, { deadlineMs });
    return parseValues(await serial.ask('read').finally(() => serial.close()));
  } catch (error) {
    if (error instanceof ToolError) return null;
    throw error;
  }
}
