import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runRequest } from '../operations/run-request.ts';
import type { Session } from '../operations/session.ts';
import { ToolError } from '../tools/tool-error.ts';
import { domsnapCommand } from './command.ts';
import { DOMAIN } from './lab-guest.ts';
import type { Libvirt } from './libvirt.ts';
import type { Stillness } from './stillness.ts';

/** One command of either, measured. */
export interface Blow {
  /** Null where nobody watched. */
  readonly pauseMs: number | null;
  /** The whole command, process start included. */
  readonly wallMs: number;
}

/** What is asked of both, in each one's own words; null where virsh refuses it. */
export interface Task {
  readonly name: string;
  readonly domsnap: readonly string[];
  readonly virsh: readonly string[] | null;
}

/** What they did it in, task by task. */
export interface Scores {
  readonly domsnap: Map<string, Blow[]>;
  readonly virsh: Map<string, Blow[]>;
}

/** Where both work: one domain of one libvirt. */
export interface Arena {
  readonly libvirt: Libvirt;
  readonly session: Session;
  /** Where the images lie. */
  readonly folder: string;
  readonly watch: Stillness | null;
}

const SETTLE_MS = 150;

/**
 * In each round either does all tasks, one after the other, on the same domain, and whoever goes first
 * changes. The tasks of a round leave the domain as they found it. The first round only warms up.
 */
export async function duel(
  arena: Arena,
  rounds: number,
  tasksOf: (name: string) => readonly Task[],
): Promise<Scores> {
  const scores: Scores = { domsnap: new Map(), virsh: new Map() };
  for (let round = 0; round <= rounds; round += 1) {
    const order = (['domsnap', 'virsh'] as const).toSorted(() => (round % 2 === 0 ? 1 : -1));
    for (const who of order) {
      for (const task of tasksOf(`${who}-${round}`)) {
        const blow = await by(who, arena, task);
        if (round === 0 || blow === null) continue;
        scores[who].set(task.name, [...(scores[who].get(task.name) ?? []), blow]);
      }
      await swept(arena);
    }
  }
  return scores;
}

async function by(who: keyof Scores, arena: Arena, task: Task): Promise<Blow | null> {
  const { session, libvirt, watch } = arena;
  const { virsh } = task;
  if (who === 'virsh' && virsh === null) return null;
  await sleep(SETTLE_MS);
  const work = async (): Promise<number> => {
    if (who === 'domsnap') return (await domsnapCommand(session.home, task.domsnap)).commandMs;
    const startedMs = performance.now();
    await libvirt.virsh(...(virsh ?? []));
    return performance.now() - startedMs;
  };
  if (!watch) return { pauseMs: null, wallMs: await work() };
  const { value, pause } = await watch.within(work);
  return { pauseMs: pause.totalMs, wallMs: value };
}

/** What reverts have left behind, and files that nobody needs any more. */
async function swept({ session, folder }: Arena): Promise<void> {
  for (const { name, kind } of session.catalog.snapshots(DOMAIN)) {
    if (kind !== 'abandoned') continue;
    const { outcome } = await runRequest(session, { operation: 'delete', domain: DOMAIN, name });
    if (outcome !== 'committed') throw new Error(`${name} could not be deleted: ${outcome}`);
  }
  await rm(join(folder, '.domsnap-trash'), { recursive: true, force: true });
}

/** In which words virsh refuses, or null where it does not. */
export async function refusalOf(
  { virsh }: Libvirt,
  words: readonly string[],
): Promise<string | null> {
  try {
    await virsh(...words);
    return null;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return error.message.trim().split('\n').at(-1) ?? '';
  }
}
