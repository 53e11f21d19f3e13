import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CreateInput } from './input.ts';

/** Give the name back. */
export const releaseReservation = ({ catalog }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ domain, name }, { operation }) {
      const mine = catalog.snapshot(domain, name)?.operation === operation;
      return { output: {}, changes: mine ? [{ catalog: 'dropSnapshot', domain, name }] : [] };
    },
  });
