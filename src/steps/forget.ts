import type { Catalog } from '../catalog/model.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { DeleteInput } from './input.ts';

/** Take the victims out of the tree; their children go to the nearest ancestor that stays. */
export const forget = ({ toolstack, catalog }: Host) =>
  hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      const { domain, victims, remaining, current } = input;
      const files = movedFiles(input, catalog);
      await toolstack.perform({ do: 'untellSnapshots', names: victims }, context);
      await toolstack.perform({ do: 'moveRecords', files }, context);
      await toolstack.perform({ do: 'tellCurrent', name: current }, context);
      return {
        output: {},
        changes: [
          ...victims.map(name => ({ catalog: 'dropSnapshot' as const, domain, name })),
          ...remaining.map(snapshot => ({ catalog: 'snapshot' as const, snapshot })),
          { catalog: 'current' as const, domain, current },
        ],
      };
    },
  });

/**
 * Which file has taken another's place, for records that name files: downward the base, upward the image
 * that took the victim's data up.
 */
function movedFiles({ domain, victims, mergesDown, mergesUp }: DeleteInput, catalog: Catalog) {
  const down = mergesDown.flatMap(({ top, base }) =>
    base ? [{ from: top.path, to: base.path }] : [],
  );
  const gone = victims.flatMap(name => catalog.snapshot(domain, name)?.disks ?? []);
  const up = gone.flatMap(({ device, image }) => {
    const taker = mergesUp.find(merge => merge.device === device);
    return taker ? [{ from: image.path, to: taker.top.path }] : [];
  });
  return [...down, ...up];
}
