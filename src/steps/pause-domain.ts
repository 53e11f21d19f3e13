import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CaseInput, CreateInput, headMerges } from './input.ts';

/** Stop the guest's processors, unless its user has done so. A domain that went off stands still. */
export const pauseDomain = ({ toolstack }: Host) =>
  hostStep({
    input: CaseInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      if (!standsStill(input)) return { output: {} };
      const gone = input.operation === 'delete' && (await toolstack.runState(context)) === 'off';
      if (!gone) await toolstack.perform({ do: 'pause' }, context);
      return { output: {} };
    },
    preview: input => (standsStill(input) ? toolstack.preview({ do: 'pause' }) : []),
  });

/** A delete without a merge into which a head goes over needs no standstill. */
export const standsStill = (input: CaseInput): boolean =>
  input.operation !== 'delete' || headMerges(input).length > 0;

/** See that the guest still stands still and its disks are flushed: nothing else may have let it run. */
export const quiesceDisks = ({ toolstack }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(_input, context) {
      await toolstack.perform({ do: 'quiesce' }, context);
      return { output: {} };
    },
  });
