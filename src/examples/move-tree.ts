import { cp, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import {
  armedFailpoints,
  defineStep,
  openJournal,
  resume,
  type Saga,
  type Steps,
  saga,
  start,
  systemClock,
  thisProcess,
} from '../index.ts';

/**
 * A crash-safe move of a file tree to another file system, where rename(2) cannot do it: killed at any
 * instant and started again, it ends with the whole tree there, or with the whole tree still here.
 *
 *     node src/examples/move-tree.ts FROM TO [JOURNAL-FOLDER]
 */
export const moveTree: Saga = saga({
  id: 'move-tree',
  version: 1,
  title: 'Move a file tree',
  story: `The tree is copied beside its goal and made durable; then it takes its name in one instant,
and only then the old tree goes.`,
  steps: [
    {
      name: 'copyTree',
      says: 'copy the tree under another name',
      deadlineMs: 3_600_000,
      undo: { name: 'dropCopy', says: 'remove the copy', deadlineMs: 600_000 },
    },
    { name: 'takeName', says: 'give the copy its name', deadlineMs: 10_000, pivot: true },
    { name: 'removeOld', says: 'remove the old tree', deadlineMs: 600_000 },
  ],
});

const Move = z.object({ from: z.string(), to: z.string() });
const Nothing = z.object({});
const draftOf = (to: string): string => `${to}.moving`;

/** The effects of the machine, each with the question whether it has happened. */
export const moveSteps: Steps = {
  copyTree: defineStep({
    input: Move,
    output: Nothing,
    // A copy that is half done cannot be told from a whole one: it is made again, over itself.
    probe: async () => ({ state: 'absent' }),
    async act({ from, to }) {
      await cp(from, draftOf(to), { recursive: true, force: true, preserveTimestamps: true });
      await syncTree(draftOf(to));
      return { output: {} };
    },
  }),
  dropCopy: defineStep({
    input: Move,
    output: Nothing,
    probe: async () => ({ state: 'absent' }),
    async act({ to }) {
      await rm(draftOf(to), { recursive: true, force: true });
      return { output: {} };
    },
  }),
  takeName: defineStep({
    input: Move,
    output: Nothing,
    probe: async ({ to }) =>
      (await exists(draftOf(to))) ? { state: 'absent' } : { state: 'present', output: {} },
    async act({ to }) {
      await rename(draftOf(to), to);
      await sync(dirname(to));
      return { output: {} };
    },
  }),
  removeOld: defineStep({
    input: Move,
    output: Nothing,
    probe: async () => ({ state: 'absent' }),
    async act({ from }) {
      await rm(from, { recursive: true, force: true });
      return { output: {} };
    },
  }),
};

/** Move a tree, or take a move up that died; answers the outcome. */
export async function move(from: string, to: string, folder: string): Promise<string> {
  const { journal, locks, close } = openJournal(folder);
  const lock = locks.tryAcquire(to);
  if (!lock) throw new Error(`somebody else is moving to ${to}`);
  const failpoints = armedFailpoints(process.env.MOVE_FAILPOINT ?? '', () =>
    process.kill(process.pid, 'SIGKILL'),
  );
  const engine = { journal, locks, clock: systemClock, who: thisProcess(), failpoints };
  const run = { saga: moveTree, steps: moveSteps };
  try {
    const [left] = journal.operations({ subject: to, status: ['open', 'needsAttention'] });
    const ending = left
      ? await resume(engine, run, left.id)
      : await start(engine, {
          ...run,
          id: systemClock.newId(),
          subject: to,
          input: { from, to },
          deadlines: {},
        });
    return ending.outcome;
  } finally {
    lock.release();
    close();
  }
}

async function syncTree(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    await sync(join(root, relative(root, join(entry.parentPath, entry.name))));
  }
  await sync(root);
  await sync(dirname(root));
}

async function sync(path: string): Promise<void> {
  const file = await open(path);
  await file.sync();
  await file.close();
}

const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

if (import.meta.main) {
  const [from, to, folder = '.move-journal'] = process.argv.slice(2);
  if (!from || !to) throw new Error('usage: move-tree FROM TO [JOURNAL-FOLDER]');
  await mkdir(folder, { recursive: true });
  process.stdout.write(`${await move(from, to, folder)}\n`);
}
