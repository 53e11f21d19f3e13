import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/engine/system-clock.ts';
import { QemuDomainConfig } from '../../src/toolstacks/qemu/domain-config.ts';
import { qemuToolstack } from '../../src/toolstacks/qemu/toolstack.ts';
import { fakeServer, onRequests, sendLine } from '../tools/fake-server.ts';
import { tempFolder } from '../tools/temp-folder.ts';
import { callContext, stepErrorOf } from './context.ts';

/** A guest with three file systems, whose agent can fall silent. */
async function guest(silentAt?: string) {
  const asked: string[] = [];
  let frozen = 0;
  const answers: Record<string, () => unknown> = {
    'guest-fsfreeze-status': () => (frozen > 0 ? 'frozen' : 'thawed'),
    'guest-fsfreeze-freeze': () => {
      frozen = 3;
      return 3;
    },
    'guest-fsfreeze-thaw': () => {
      const thawed = frozen;
      frozen = 0;
      return thawed;
    },
  };
  const path = await fakeServer(socket => {
    onRequests(socket, ({ execute, arguments: args }) => {
      if (execute === silentAt) return;
      if (execute === 'guest-sync-delimited') {
        sendLine(socket, { return: (args as { id: number }).id });
        return;
      }
      asked.push(execute);
      sendLine(socket, { return: answers[execute]?.() });
    });
  });
  return { path, asked };
}

const toolstackOf = (agent?: string) =>
  qemuToolstack(
    QemuDomainConfig.parse({
      name: 'web1',
      arguments: [],
      disks: [{ device: 'vda', path: '/vm/a.raw', format: 'raw' }],
      monitor: '/nowhere/qmp.sock',
      ...(agent === undefined ? {} : { agent }),
    }),
    { home: tempFolder(), clock: systemClock, heads: () => [] },
  );

describe('freezing a guest', () => {
  test('freezes and thaws all file systems, and says how many', async () => {
    const toolstack = toolstackOf((await guest()).path);
    expect(await toolstack.perform({ do: 'freeze' }, callContext())).toEqual({ filesystems: 3 });
    expect(await toolstack.frozen(callContext())).toBe(true);
    expect(await toolstack.perform({ do: 'thaw' }, callContext())).toEqual({ filesystems: 3 });
    expect(await toolstack.perform({ do: 'thaw' }, callContext())).toEqual({ filesystems: 0 });
    expect(await toolstack.frozen(callContext())).toBe(false);
  });

  test('that is frozen already freezes it anew, since only that tells how many', async () => {
    const { path, asked } = await guest();
    await toolstackOf(path).perform({ do: 'freeze' }, callContext());
    const again = await toolstackOf(path).perform({ do: 'freeze' }, callContext());
    expect(again).toEqual({ filesystems: 3 });
    expect(asked.slice(2)).toEqual([
      'guest-fsfreeze-status',
      'guest-fsfreeze-thaw',
      'guest-fsfreeze-freeze',
    ]);
  });

  test('whose agent does not answer fails as one to which nothing was sent', async () => {
    const { path, asked } = await guest('guest-sync-delimited');
    const error = await stepErrorOf(toolstackOf(path).perform({ do: 'freeze' }, callContext()));
    expect(error.code).toBe('no-agent');
    expect(asked).toEqual([]);
  });

  test('without an agent in the domain file says so', async () => {
    const error = await stepErrorOf(toolstackOf().perform({ do: 'freeze' }, callContext()));
    expect(error).toMatchObject({ code: 'no-agent', retryable: false });
  });

  test('whose agent falls silent in the freeze is in doubt, and must be thawed', async () => {
    const { path } = await guest('guest-fsfreeze-freeze');
    const signal = AbortSignal.timeout(200);
    const freezing = toolstackOf(path).perform({ do: 'freeze' }, callContext({ signal }));
    expect((await stepErrorOf(freezing)).code).not.toBe('no-agent');
  });
});
