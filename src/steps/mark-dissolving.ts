import type { CatalogChange } from '../catalog/model.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { DeleteInput } from './input.ts';

/** Mark the victims, durably, before the first byte of theirs is touched. */
export const markDissolving = ({ catalog }: Host) =>
  hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ domain, victims }) {
      const changes = victims.flatMap<CatalogChange>(name => {
        const snapshot = catalog.snapshot(domain, name);
        return snapshot
          ? [{ catalog: 'snapshot', snapshot: { ...snapshot, state: 'dissolving' } }]
          : [];
      });
      return { output: {}, changes };
    },
  });
