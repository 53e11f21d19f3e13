import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../machines/index.ts';
import { StepError } from '../../src/engine/step.ts';
import { recover } from '../../src/operations/recover.ts';
import type { CreateRequest } from '../../src/plan/request.ts';
import { meddled, withoutBackground } from '../lab/cases/meddle.ts';
import { flood } from '../tools/fake-server.ts';
import { type FakeGuest, fakeAgent, type Manner, SILENT, withAgent } from './fake-agent.ts';
import { hasty, SOON } from './hasty.ts';
import {
  codes,
  domainPid,
  type FaultHost,
  faultHost,
  names,
  operate,
  refusalOf,
  snapshotOf,
  start,
  tell,
} from './host.ts';
import { assertWhole } from './whole.ts';

const FREEZE = 'guest-fsfreeze-freeze';
const THAW = 'guest-fsfreeze-thaw';
const GIGABYTE = 1024 ** 3;

const quiesced: Omit<CreateRequest, 'domain'> = {
  operation: 'create',
  name: 's1',
  memory: 'none',
  quiesce: 'require',
};

/** The guest runs and nothing in it is frozen; nothing is left of a snapshot. */
async function asBefore(host: FaultHost, { frozen }: FakeGuest): Promise<void> {
  expect(frozen, 'I2: file systems are frozen').toBe(0);
  expect(names(host)).toEqual([]);
  await assertWhole(host, { runState: 'running' });
}

describe('B. a guest that is left paused, frozen or stalled', () => {
  let host: FaultHost;
  let guest: FakeGuest;
  const cleanups: (() => unknown)[] = [];
  const atEnd = (clean: () => unknown) => void cleanups.unshift(clean);
  beforeAll(async () => {
    host = await faultHost({ agent: true, atEnd });
    await start(host);
    guest = await fakeAgent(host.config.agent!, atEnd);
  });
  afterAll(async () => {
    for (const clean of cleanups) await clean();
  });
  beforeEach(() => {
    guest.manners = {};
    guest.frozen = 0;
    guest.asked.length = 0;
  });
  afterEach(async () => {
    for (const name of names(host)) await operate(host, { operation: 'delete', name });
  });

  test.each(['pause', 'quiesce', 'snapshotDisks'] as const)(
    'F13 F20: what fails behind the freeze, %s, has the guest thawed',
    async deed => {
      const fails = () => {
        throw new StepError('io', 'this test makes it fail', { retryable: false });
      };
      const session = meddled(withAgent(host.session), { before: { [deed]: fails } });
      await operate(host, quiesced, { outcome: 'rolledBack', session });
      expect(guest.asked.filter(one => one === FREEZE)).toHaveLength(1);
      expect(guest.asked.at(-1)).toBe(THAW);
      await asBefore(host, guest);
    },
  );

  test.each<[string, Manner]>([
    ['F14 F19: is never answered, though it froze', freezes(() => SILENT)],
    [
      'F17: fails half way, with one file system frozen',
      freezes(() => new Error('no such device'), 1),
    ],
    ['claims to have frozen minus one', freezes(() => -1)],
    ['claims to have frozen a billion', freezes(() => 1e9)],
    ['claims to have frozen "all"', freezes(() => 'all')],
    [
      'is answered by a gigabyte',
      freezes((_, socket) => {
        flood(socket, Buffer.alloc(1 << 20, 'x'), GIGABYTE);
        return SILENT;
      }),
    ],
    [
      'is answered by a hang-up',
      freezes((_, socket) => {
        socket.destroy();
        return SILENT;
      }),
    ],
  ])('a freeze that %s: the guest is thawed, all is as before', async (_, manner) => {
    guest.manners = { [FREEZE]: manner };
    const session = hasty(withAgent(host.session), SOON);
    const report = await operate(host, quiesced, { outcome: 'rolledBack', session });
    expect(codes(report)[0]).toMatch(/^freezeGuest: /);
    expect(guest.asked.at(-1)).toBe(THAW);
    await asBefore(host, guest);
  });

  test('F11: an agent that can never freeze leaves no trace, however often it is tried', async () => {
    guest.manners = { [FREEZE]: () => new Error('fsfreeze is not supported') };
    const session = withAgent(host.session);
    for (let round = 0; round < 3; round += 1) {
      await operate(host, quiesced, { outcome: 'rolledBack', session });
    }
    await asBefore(host, guest);
    await operate(host, { ...quiesced, quiesce: 'no' }, { session });
    await operate(host, { operation: 'delete', name: 's1' });
    await asBefore(host, guest);
  });

  test('F15: the agent of a guest that its user has paused is not asked, and it stays paused', async () => {
    await tell(host, 'stop');
    expect(await refusalOf(host, quiesced)).toEqual(['no-agent']);
    await operate(host, { ...quiesced, quiesce: 'try' });
    expect(guest.asked).toEqual([]);
    expect(snapshotOf(host, 's1').consistency).toBe('crash-consistent');
    await assertWhole(host, { runState: 'paused' });
    await tell(host, 'cont');
  });

  test('F18: a guest that thawed by itself: the snapshot says that the freeze did not hold', async () => {
    guest.manners = { [THAW]: () => 0 };
    guest.frozen = 0;
    await operate(host, quiesced, { session: withAgent(host.session) });
    const { consistency, why } = snapshotOf(host, 's1');
    expect({ consistency, why }).toEqual({
      consistency: 'crash-consistent',
      why: 'the guest thawed before its disks were taken',
    });
  });

  test.each<[string, Manner]>([
    ['a number that cannot be', () => -1],
    [
      'a hang-up',
      (_, socket) => {
        socket.destroy();
        return SILENT;
      },
    ],
  ])(
    'F18: a thaw that is answered once by %s is tried again: the guest is not left frozen',
    async (_, manner) => {
      guest.manners = {
        [THAW]: (one, socket) => {
          guest.manners = {};
          return manner(one, socket);
        },
      };
      await operate(host, quiesced, { session: withAgent(host.session) });
      expect(guest.asked.filter(one => one === THAW)).toHaveLength(2);
      expect(guest.frozen).toBe(0);
      await assertWhole(host, { runState: 'running' });
    },
  );

  test('F21: no case copies a disk while the guest stands still', () => {
    const copies = ['mergeUp', 'mergeDown', 'prepareHeads', 'createOverlays', 'undoDisks'];
    const creates = [...CATALOGUE.values()].filter(({ id }) => id.startsWith('create.live'));
    for (const { id, steps } of creates) {
      const inside = steps.filter(({ window }) => window).map(({ name }) => name);
      expect(inside.length, id).toBeGreaterThan(0);
      for (const copy of copies) expect(inside, id).not.toContain(copy);
    }
  });

  test('F22: a QEMU that does not answer in the window is let run as soon as it does', async () => {
    const hang = () => {
      const pid = domainPid(host)!;
      process.kill(pid, 'SIGSTOP');
      setTimeout(() => process.kill(pid, 'SIGCONT'), 1_500);
    };
    const session = meddled(hasty(host.session, SOON), { before: { pause: hang } });
    const wish = { ...quiesced, quiesce: 'no' } as const;
    const report = await operate(host, wish, { outcome: 'rolledBack', session });
    expect(codes(report)[0]).toMatch(/^pauseDomain: /);
    await asBefore(host, guest);
  });

  test('a guest that stood still for its memory runs on, though what the capture left cannot be removed', async () => {
    const readOnly = () => {
      throw new StepError('tool-failed', 'remove lab.memory.report: EROFS');
    };
    const plain = withoutBackground(host.session);
    const session: typeof plain = {
      ...plain,
      async openToolstack(domain) {
        const toolstack = await plain.openToolstack(domain);
        return {
          ...toolstack,
          async perform(deed, context) {
            const answer = await toolstack.perform(deed, context);
            return ['finishCapture', 'cancelCapture'].includes(deed.do) ? readOnly() : answer;
          },
        };
      },
    };
    const wish = { operation: 'create', name: 's1', memory: 'live' } as const;
    const report = await operate(host, wish, { outcome: 'needsAttention', session });
    expect(codes(report)).toContain('abandonConvergence: tool-failed');
    expect(await tell(host, 'query-status')).toMatchObject({ status: 'running' });
    await recover(host.session, report.operation);
    await asBefore(host, guest);
  });

  test('F23: a checkpoint pauses its guest for a moment, not for as long as memory takes to save', async () => {
    const { operation } = await operate(host, { operation: 'create', name: 's1' });
    const records = host.session.journal.records(operation);
    const at = (state: string) => records.find(({ to }) => to === state)?.at ?? Number.NaN;
    expect(snapshotOf(host, 's1').memory?.capture).toBe('background');
    expect(at('finishCapture') - at('pauseDomain'), 'the pause').toBeLessThan(2_000);
    await assertWhole(host, { runState: 'running' });
  });
});

/** The guest freezes some of its file systems, and says something else of it. */
function freezes(answer: Manner, frozen = 3): Manner {
  return (guest, socket) => {
    guest.frozen = frozen;
    return answer(guest, socket);
  };
}
