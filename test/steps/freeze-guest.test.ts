import { describe, expect, test } from 'vitest';
import { type EffectContext, StepError } from '../../src/engine/step.ts';
import { freezeGuest } from '../../src/steps/freeze-guest.ts';
import type { Host } from '../../src/steps/host.ts';
import { thawGuest } from '../../src/steps/thaw-guest.ts';
import { createInput } from './create-input.ts';

const inputOf = (quiesce: 'try' | 'require') => createInput({ quiesce, disks: [] });

/** A guest whose agent does not answer; to a freeze as is told. */
const silent = (code: string) =>
  ({
    toolstack: {
      runState: async () => 'running',
      perform: async ({ do: what }: { do: string }) => {
        throw new StepError(what === 'freeze' ? code : 'no-agent', 'the agent does not answer');
      },
    },
  }) as unknown as Host;

const freeze = (quiesce: 'try' | 'require', code: string) =>
  freezeGuest(silent(code))
    .act(inputOf(quiesce), {} as EffectContext)
    .catch(error => error as StepError);

describe('an agent that does not answer', () => {
  test('was not told to freeze: the snapshot is taken without', async () => {
    expect(await freeze('try', 'no-agent')).toMatchObject({ output: { sent: false } });
  });

  test('or is refused for good, where a freeze is required', async () => {
    expect(await freeze('require', 'no-agent')).toMatchObject({
      code: 'no-agent',
      retryable: false,
    });
  });

  test.each(['try', 'require'] as const)(
    'may have been told by whoever was cut short (%s): the guest may be frozen',
    async quiesce => {
      const error = await freeze(quiesce, 'freeze-in-doubt');
      expect(error).toMatchObject({ code: 'freeze-in-doubt', retryable: true });
      const failures = [{ step: 'freezeGuest', code: 'freeze-in-doubt' }];
      const context = { results: {}, failures } as unknown as EffectContext;
      await expect(
        thawGuest(silent('freeze-in-doubt')).act(inputOf(quiesce), context),
      ).rejects.toMatchObject({
        code: 'no-agent',
      });
    },
  );
});
