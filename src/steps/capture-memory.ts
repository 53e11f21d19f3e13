import { z } from 'zod';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CreateInput } from './input.ts';
import { whileRoomLasts } from './watch-volumes.ts';

const Captured = z.object({ bytes: z.number(), sha256: z.string() });

/** Begin to save the memory; in the background the guest may run again at once. */
export const startCapture = (host: Host) => beginning(host);

/** Stream the memory out while the guest runs; ends with the guest standing still. */
export const convergeMemory = (host: Host) => beginning(host);

function beginning(host: Host) {
  const { toolstack } = host;
  const deed = (input: CreateInput) => ({ do: 'beginCapture' as const, ...target(input) });
  return hostStep({
    input: CreateInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      await whileRoomLasts(host, input.disks, context, watched =>
        toolstack.perform(deed(input), watched),
      );
      return { output: {} };
    },
    preview: input => toolstack.preview(deed(input)),
  });
}

/** Wait until the memory is saved, on disk, and its digest known. */
export const finishCapture = (host: Host) => {
  const { toolstack } = host;
  const deed = (input: CreateInput) => ({ do: 'finishCapture' as const, ...target(input) });
  return hostStep({
    input: CreateInput,
    output: Captured,
    probe: alwaysAgain,
    async act(input, context) {
      const captured = await whileRoomLasts(host, input.disks, context, watched =>
        toolstack.perform(deed(input), watched),
      );
      return { output: Captured.parse(captured) };
    },
    preview: input => toolstack.preview(deed(input)),
  });
};

/** Save the memory while the guest stands still. */
export const captureMemory = ({ toolstack }: Host) => {
  const begin = (input: CreateInput) => ({ do: 'beginCapture' as const, ...target(input) });
  const finish = (input: CreateInput) => ({ do: 'finishCapture' as const, ...target(input) });
  return hostStep({
    input: CreateInput,
    output: Captured,
    probe: alwaysAgain,
    async act(input, context) {
      await toolstack.perform(begin(input), context);
      return { output: Captured.parse(await toolstack.perform(finish(input), context)) };
    },
    preview: input => [...toolstack.preview(begin(input)), ...toolstack.preview(finish(input))],
  });
};

/** Call a capture off, and leave the domain as if none had been begun. */
export const cancelCapture = (host: Host) => calledOff(host);

/** The same for a capture that brings the guest to a standstill by itself: it runs on. */
export const abandonConvergence = (host: Host) => calledOff(host);

const calledOff = ({ toolstack }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      // Also of a domain that has died: what the capture has left beside the memory file goes.
      const cancelled = toolstack.perform({ do: 'cancelCapture', ...target(input) }, context);
      const failure = await cancelled.then(
        () => null,
        error => ({ error }),
      );
      // A file that cannot be removed, in a folder that has become read-only, is no reason to keep the
      // guest waiting.
      const state = await toolstack.runState(context);
      if (state !== 'off' && state !== input.runAfter) {
        const wanted = input.runAfter === 'paused' ? 'pause' : 'resume';
        await toolstack.perform({ do: wanted }, context);
      }
      if (failure) throw failure.error;
      return { output: {} };
    },
  });

function target({ memory }: CreateInput) {
  if (!memory) throw new Error('a case with memory has a memory file');
  return { capture: memory.capture, path: memory.path };
}
