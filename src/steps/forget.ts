import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { DeleteInput } from './input.ts';

/** Take the victims out of the tree; their children go to the nearest ancestor that stays. */
export const forget = (_host: Host) =>
  hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ domain, victims, remaining, current }) {
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
