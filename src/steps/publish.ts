import { z } from 'zod';
import type { CatalogChange, Consistency, Snapshot } from '../catalog/model.ts';
import { overlaysOf } from './create-overlays.ts';
import { Frozen } from './freeze-guest.ts';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { CreateInput, RevertInput } from './input.ts';
import { draft } from './reserve.ts';
import { Thawed } from './thaw-guest.ts';

const Published = z.discriminatedUnion('operation', [CreateInput, RevertInput]);
const Said = z.object({ consistency: z.string().optional() });

type Results = Readonly<Record<string, unknown>>;

/** Make the result visible: a new usable snapshot, or the place in the tree where the domain is now. */
export const publish = ({ toolstack }: Host) =>
  hostStep({
    input: Published,
    output: Said,
    probe: alwaysAgain,
    async act(input, context) {
      const { operation, results } = context;
      const here: CatalogChange = { catalog: 'current', domain: input.domain, current: input.name };
      if (input.operation === 'revert') {
        const { abandoned } = input;
        const kept: CatalogChange[] = abandoned
          ? [{ catalog: 'snapshot', snapshot: { ...abandoned, operation, state: 'usable' } }]
          : [];
        await toolstack.perform({ do: 'tellCurrent', name: input.name }, context);
        return { output: {}, changes: [...kept, here] };
      }
      const snapshot = finished(input, operation, results);
      const overlays = overlaysOf(input.disks);
      await toolstack.perform({ do: 'tellSnapshot', snapshot, overlays, current: true }, context);
      const { consistency } = snapshot;
      return { output: { consistency }, changes: [{ catalog: 'snapshot', snapshot }, here] };
    },
  });

function finished(input: CreateInput, operation: string, results: Results): Snapshot {
  const memory = memoryOf(input, results);
  return {
    ...draft(input, operation),
    state: 'usable',
    memory,
    ...reached(input, results),
  };
}

function memoryOf({ memory, runAfter }: CreateInput, results: Results): Snapshot['memory'] {
  if (!memory) return null;
  const captured = z
    .object({ bytes: z.number(), sha256: z.string() })
    .parse(results.finishCapture ?? results.captureMemory);
  const runState = runAfter === 'paused' ? 'paused' : 'running';
  return { ...memory, ...captured, runState };
}

/** What was reached, from what the steps answered; never what was asked for. */
function reached(
  { memory, runBefore, quiesce }: CreateInput,
  results: Results,
): { consistency: Consistency; why: string } {
  if (memory) return { consistency: 'memory', why: '' };
  if (runBefore === 'off') return { consistency: 'offline', why: '' };
  const frozen = Frozen.safeParse(results.freezeGuest).data;
  const thawed = Thawed.safeParse(results.thawGuest).data;
  if (frozen?.sent && frozen.filesystems > 0 && thawed?.held) {
    return { consistency: 'guest-frozen', why: '' };
  }
  const why = frozen?.sent
    ? frozen.filesystems === 0
      ? 'the guest had no file system to freeze'
      : 'the guest thawed before its disks were taken'
    : (frozen?.why ?? `quiesce ${quiesce}`);
  return { consistency: 'crash-consistent', why };
}
