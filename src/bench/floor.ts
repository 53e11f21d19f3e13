import { statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { Plan } from '../plan/plan.ts';
import type { PlannedStep } from '../plan/preview.ts';
import { sha256File } from '../tools/file-facts.ts';
import { readReport, reportPath } from '../toolstacks/qemu/sink.ts';
import { FloorHands } from './floor-hands.ts';
import { log } from './say.ts';

/** What the same commands take by themselves. */
export interface FloorRun {
  readonly wallMs: number;
  readonly stepsMs: Readonly<Record<string, number>>;
  /** Of a create with memory. */
  readonly memory: { readonly bytes: number; readonly sha256: string } | null;
}

/** Where the floor's monitor and agent are. */
export interface FloorWorld {
  readonly monitor: string;
  readonly agent: string;
  readonly pidFile: string;
  readonly logFile: string;
}

/**
 * Give the commands of a plan back to back, by a bare client: no records, no probes, no questions but
 * those without which the next command would fail (a job is ready, the memory is saved). What
 * domsnap's audit shows beside the plan's commands is here too: the digest of memory that is to be
 * loaded, and the sync of memory that was saved (behind everything: the guest need not wait for it).
 */
export async function runFloor(
  { input }: Plan,
  steps: readonly PlannedStep[],
  world: FloorWorld,
): Promise<FloorRun> {
  const capture = input.operation === 'create' ? (input.memory?.capture ?? null) : null;
  const live = input.runBefore !== 'off';
  const startedMs = performance.now();
  const hands = await FloorHands.ready(world, { live, capture });
  const stepsMs: Record<string, number> = {};
  try {
    for (const { step, commands } of steps) {
      const begunMs = performance.now();
      if (step === 'validateSnapshot' && input.operation === 'revert' && input.memory) {
        await sha256File(input.memory.path, log);
      }
      for (const command of commands) await hands.perform(command);
      stepsMs[step] = performance.now() - begunMs;
    }
    const memory =
      input.operation === 'create' && input.memory ? await saved(hands, input.memory.path) : null;
    return { wallMs: performance.now() - startedMs, stepsMs, memory };
  } finally {
    hands.close();
  }
}

async function saved(hands: FloorHands, path: string): Promise<NonNullable<FloorRun['memory']>> {
  const report = await hands.poll(() => {
    const said = readReport(path);
    if (said.state === 'failed') throw new Error(`the memory was not written to ${path}`);
    return said.state === 'done' ? said : undefined;
  });
  const file = await open(path);
  await file.sync().finally(() => file.close());
  await rm(reportPath(path));
  return { bytes: statSync(path).size, sha256: report.sha256 };
}
