import type { CatalogChange } from '../catalog/model.ts';
import type { Json } from '../engine/json.ts';
import { type EffectContext, StepError } from '../engine/step.ts';
import type { DomainDeed, Merge } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing, PREVIEW } from './host.ts';
import { DeleteInput, headMerges } from './input.ts';
import { commitAll } from './merge-down.ts';
import { liveMerges } from './merge-up.ts';
import { headsChange } from './record-heads.ts';
import { together } from './together.ts';

/**
 * Let heads whose data is all in the bases go over to them, move the stale heads away, and record the
 * new ones. The guest stands still until all is done (see `pivotMerges` of the toolstack's port), and
 * what was done of it is recorded even where the rest has failed.
 */
export const pivotMerges = (host: Host) => {
  const { images, toolstack } = host;
  return hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      try {
        return { output: {}, changes: await goOn(host, input, context) };
      } catch (error) {
        if (!(error instanceof StepError) || error.changes.length > 0) throw error;
        throw halfWay(error, await movedAway(host, input));
      }
    },
    preview(input) {
      const deed = pivots(input, PREVIEW);
      return [
        ...(deed ? toolstack.preview(deed) : []),
        ...headMerges(input).flatMap(({ top }) =>
          images.preview({ do: 'trash', path: top.path, operation: PREVIEW }),
        ),
      ];
    },
  });
};

async function goOn(
  host: Host,
  input: DeleteInput,
  context: EffectContext,
): Promise<readonly CatalogChange[]> {
  if ((await host.toolstack.runState(context)) === 'off') {
    await commitAll(host, unrecorded(host, input), context);
    return await retire(host, input, headMerges(input), context);
  }
  const deed = pivots(input, context.operation);
  try {
    if (deed) await goOver(host, deed, context);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    throw halfWay(error, await retireGoneOver(host, input, context));
  }
  // All have gone over: the guest does not wait for the question which.
  return await retire(host, input, headMerges(input), context);
}

/** Behind the pivot there is only forward: a guest that somebody has let run in between is stopped again. */
async function goOver(
  { toolstack }: Host,
  deed: DomainDeed & { do: 'pivotMerges' },
  context: EffectContext,
): Promise<void> {
  try {
    await toolstack.perform(deed, context);
  } catch (error) {
    if (!(error instanceof StepError) || error.code !== 'not-paused') throw error;
    await toolstack.perform({ do: 'pause' }, context);
    await toolstack.perform(deed, context);
  }
}

/** Forget the jobs of heads that have gone over, and let go of the stale ones, while the guest runs. */
export const closeMerged = ({ toolstack }: Host) =>
  hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      const merges = merging(input, context.operation);
      if (merges.length > 0 && (await toolstack.runState(context)) !== 'off') {
        await toolstack.perform({ do: 'closeMerges', merges }, context);
      }
      return { output: {} };
    },
    preview(input) {
      const merges = merging(input, PREVIEW);
      return merges.length > 0 ? toolstack.preview({ do: 'closeMerges', merges }) : [];
    },
  });

function pivots(input: DeleteInput, operation: string) {
  const merges = merging(input, operation);
  return merges.length > 0 ? { do: 'pivotMerges' as const, merges } : undefined;
}

/** The jobs by which heads go over. */
function merging(input: DeleteInput, operation: string): readonly Merge[] {
  const tops = new Set(headMerges(input).map(({ top }) => top.path));
  const live = liveMerges('mergeDown', operation, input.mergesDown);
  return live?.merges.filter(({ top }) => tops.has(top.path)) ?? [];
}

/** A disk that is recorded on its base has gone over: its top is stale, and never merged again. */
function unrecorded({ catalog }: Host, input: DeleteInput) {
  const disks = catalog.domain(input.domain)?.disks ?? [];
  const gone = headMerges(input).filter(
    ({ device, base }) => disks.find(disk => disk.device === device)?.head.path === base?.path,
  );
  return input.mergesDown.filter(merge => !gone.includes(merge));
}

/**
 * The heads of disks whose tops an earlier life has moved away, and died before it could record it: what
 * fails now must not keep the catalog from naming images that are there.
 */
async function movedAway(
  { images, catalog }: Host,
  input: DeleteInput,
): Promise<readonly CatalogChange[]> {
  const heads = [];
  for (const { device, top, base } of headMerges(input)) {
    if (base && !(await images.exists(top.path))) heads.push({ device, head: base });
  }
  return heads.length > 0 ? [headsChange(catalog, input.domain, heads)] : [];
}

/** Tops that no running chain holds any more. A domain that has died has none to tell. */
async function retireGoneOver(
  host: Host,
  input: DeleteInput,
  context: EffectContext,
): Promise<readonly CatalogChange[]> {
  const merges = headMerges(input);
  if (merges.length === 0) return [];
  const live = await host.toolstack.liveDisks(context);
  if (live.length === 0) return [];
  const paths = new Set(live.flatMap(({ chain }) => chain.map(({ path }) => path)));
  return retire(
    host,
    input,
    merges.filter(({ top }) => !paths.has(top.path)),
    context,
  );
}

/** Move stale tops away; answers the record of the heads that took their place. */
async function retire(
  { images, catalog }: Host,
  { domain }: DeleteInput,
  gone: ReturnType<typeof headMerges>,
  context: EffectContext,
): Promise<readonly CatalogChange[]> {
  if (gone.length === 0) return [];
  const heads = gone.flatMap(({ device, base }) => (base ? [{ device, head: base }] : []));
  const changes = [headsChange(catalog, domain, heads)];
  try {
    const { operation } = context;
    const moves = gone.map(({ top }) => ({ do: 'trash' as const, path: top.path, operation }));
    await together(moves.map(move => images.perform(move, context)));
  } catch (error) {
    throw error instanceof StepError ? halfWay(error, changes) : error;
  }
  return changes;
}

function halfWay(error: StepError, changes: readonly CatalogChange[]): StepError {
  const { code, message, retryable } = error;
  return new StepError(code, message, {
    cause: error,
    retryable,
    changes: changes as readonly Json[],
  });
}
