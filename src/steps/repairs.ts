import { z } from 'zod';
import { StepError } from '../engine/step.ts';
import { alwaysAgain, type Host, hostStep, Nothing, PREVIEW } from './host.ts';
import { GcInput, RepairInput } from './input.ts';
import { headsChange } from './record-heads.ts';

const Thawed = z.object({ filesystems: z.number() });

/** Thaw file systems that no operation holds frozen. Throws `off`, `no-agent`. */
export const thawFileSystems = ({ toolstack }: Host) =>
  hostStep({
    input: RepairInput,
    output: Thawed,
    // Thawing what is thawed does nothing.
    probe: alwaysAgain,
    async act(_input, context) {
      return { output: Thawed.parse(await toolstack.perform({ do: 'thaw' }, context)) };
    },
    preview: () => toolstack.preview({ do: 'thaw' }),
  });

/** End block jobs that a closed operation has left. */
export const endJobs = ({ toolstack }: Host) =>
  hostStep({
    input: RepairInput,
    output: Nothing,
    async probe({ jobs }, context) {
      const left = (await toolstack.jobs(context)).some(({ id }) => jobs.includes(id));
      return left ? { state: 'absent' } : { state: 'present', output: {} };
    },
    async act({ jobs }, context) {
      await toolstack.perform({ do: 'cancelMerges', jobs }, context);
      return { output: {} };
    },
    preview: ({ jobs }) => toolstack.preview({ do: 'cancelMerges', jobs }),
  });

/** Record the heads of the running domain. Throws `changed` where it does not write to them any more. */
export const correctHeads = ({ toolstack, catalog }: Host) =>
  hostStep({
    input: RepairInput,
    output: Nothing,
    // A record that was written is written again, to the same end.
    probe: alwaysAgain,
    async act({ domain, heads }, context) {
      const live = await toolstack.liveDisks(context);
      for (const { device, head } of heads) {
        const [now] = live.find(disk => disk.device === device)?.chain ?? [];
        if (now?.path === head.path && now.format === head.format) continue;
        const message = `${device} writes to ${now?.path ?? 'no image'} now, not to ${head.path}`;
        throw new StepError('changed', message, { retryable: false });
      }
      return { output: {}, changes: [headsChange(catalog, domain, heads)] };
    },
  });

/** Move orphans to the trash. Throws `in-use` where a process has one open. */
export const trashOrphans = ({ images }: Host) => {
  const deed = (path: string, operation: string) => ({ do: 'trash' as const, path, operation });
  return hostStep({
    input: RepairInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ orphans }, context) {
      for (const path of orphans) {
        const pids = await images.openedBy(path);
        if (pids.length > 0) {
          throw new StepError('in-use', `${path} is open in process ${pids.join(', ')}`, {
            retryable: false,
          });
        }
        await images.perform(deed(path, context.operation), context);
      }
      return { output: {} };
    },
    preview: ({ orphans }) => orphans.flatMap(path => images.preview(deed(path, PREVIEW))),
  });
};

/** Remove files from the trash for good. One that is gone is gone. */
export const purgeTrash = ({ images }: Host) =>
  hostStep({
    input: GcInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ files }, context) {
      const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
      let done = 0;
      for (const { folder, operation, name, bytes } of files) {
        await images.perform({ do: 'purge', folder, operation, name }, context);
        done += bytes;
        context.progress({ done, total, unit: 'bytes' });
      }
      return { output: {} };
    },
    preview: ({ files }) =>
      files.flatMap(({ folder, operation, name }) =>
        images.preview({ do: 'purge', folder, operation, name }),
      ),
  });
