import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { connectAgent } from '../../src/tools/guest-agent.ts';
import { failureOf } from './failure.ts';
import { fakeServer, flood, onRequests, sendLine } from './fake-server.ts';

const to = (path: string, deadlineMs = 400) => ({ path, deadlineMs, log: () => {} });

/** An agent that synchronises as qemu-guest-agent does, and answers the rest as the test says. */
function fakeAgent(answer: (execute: string, socket: Socket) => void, stale = ''): Promise<string> {
  return fakeServer(socket => {
    onRequests(socket, request => {
      if (request.execute !== 'guest-sync-delimited') {
        answer(request.execute, socket);
        return;
      }
      const { id } = request.arguments as { id: number };
      socket.write(stale);
      socket.write(Buffer.concat([Buffer.of(0xff), Buffer.from(`{"return": ${id}}\n`)]));
    });
  });
}

/** An agent that gives the same answer to everything. */
const always = (value: unknown) => fakeAgent((_, socket) => sendLine(socket, value));

test('an honest agent pings, freezes, tells its status, and thaws on a fresh connection', async () => {
  let frozen = 0;
  const path = await fakeAgent((execute, socket) => {
    if (execute === 'guest-fsfreeze-freeze') frozen = 2;
    const thawed = frozen;
    if (execute === 'guest-fsfreeze-thaw') frozen = 0;
    const status = frozen > 0 ? 'frozen' : 'thawed';
    const values: { [command: string]: unknown } = {
      'guest-ping': {},
      'guest-fsfreeze-freeze': frozen,
      'guest-fsfreeze-thaw': thawed,
      'guest-fsfreeze-status': status,
    };
    sendLine(socket, { return: values[execute] });
  });
  const first = await connectAgent(to(path));
  await first.ping();
  expect(await first.freeze()).toBe(2);
  expect(await first.fsfreezeStatus()).toBe('frozen');
  first.close();
  const second = await connectAgent(to(path));
  expect(await second.thaw()).toBe(2);
  expect(await second.fsfreezeStatus()).toBe('thawed');
});

test('commands given at once run one after the other, since answers carry no ids', async () => {
  let running = 0;
  const path = await fakeAgent((_, socket) => {
    running += 1;
    const seen = running;
    setTimeout(() => {
      running -= 1;
      sendLine(socket, { return: seen });
    }, 20);
  });
  const agent = await connectAgent(to(path));
  expect(await Promise.all([agent.thaw(), agent.thaw(), agent.thaw()])).toEqual([1, 1, 1]);
});

test('what an earlier client left in the channel is discarded', async () => {
  const stale = `"half an answer\n{"return": 3}\n{"error": {}}\n\xff{"return": 1}\n`;
  const path = await fakeAgent((_, socket) => sendLine(socket, { return: 5 }), stale);
  expect(await (await connectAgent(to(path))).thaw()).toBe(5);
});

test('a stale line longer than any answer does not keep the next client out', async () => {
  const path = await fakeAgent((_, socket) => sendLine(socket, { return: 5 }), 'x'.repeat(200_000));
  expect(await (await connectAgent(to(path))).thaw()).toBe(5);
});

test('a guest without an agent times out within the deadline', async () => {
  const path = await fakeServer(() => {});
  expect((await failureOf(connectAgent(to(path, 150)))).code).toBe('timeout');
});

test('an agent that answers the handshake with another id is not believed', async () => {
  const path = await fakeServer(socket =>
    onRequests(socket, () => socket.write(Buffer.from('ff7b2272657475726e223a317d0a', 'hex'))),
  );
  expect((await failureOf(connectAgent(to(path, 150)))).code).toBe('timeout');
});

test('an agent that floods the handshake is cut off', async () => {
  let sentBytes = () => 0;
  const path = await fakeServer(socket => {
    sentBytes = flood(socket, Buffer.alloc(64 * 1024, 0xff), 1024 ** 3);
  });
  expect((await failureOf(connectAgent(to(path, 10_000)))).code).toBe('too-large');
  expect(sentBytes()).toBeLessThan(16 * 1024 * 1024);
});

test('an answer beyond 64 KiB is cut off', async () => {
  const path = await fakeAgent((_, socket) => socket.write('x'.repeat(70_000)));
  const agent = await connectAgent(to(path));
  expect((await failureOf(agent.ping())).code).toBe('too-large');
});

test.each([
  ['a count below zero', { return: -1 }],
  ['a count beyond all reason', { return: 1001 }],
  ['a fraction', { return: 1.5 }],
  ['a text', { return: '1' }],
  ['nothing', {}],
  ['an error without a text', { error: { class: 'X' } }],
])('%s from the agent is a protocol error, and the agent is not asked again', async (_, answer) => {
  const agent = await connectAgent(to(await always(answer)));
  expect((await failureOf(agent.freeze())).code).toBe('protocol');
  expect((await failureOf(agent.thaw())).code).toMatch(/protocol|closed/);
});

test("the agent's error text reaches no terminal with its escapes", async () => {
  const desc = 'failed\u001b[2J\u202e';
  const agent = await connectAgent(to(await always({ error: { class: 'GenericError', desc } })));
  const error = await failureOf(agent.freeze(['/']));
  expect(error).toMatchObject({ code: 'failed', detail: { class: 'GenericError' } });
  expect(error.message).toBe('failed [2J ');
});

test('a freeze that is never answered times out, and the thaw needs a new connection', async () => {
  const path = await fakeAgent((execute, socket) => {
    if (execute === 'guest-fsfreeze-thaw') sendLine(socket, { return: 1 });
  });
  const first = await connectAgent(to(path));
  expect((await failureOf(first.freeze(undefined, { deadlineMs: 100 }))).code).toBe('timeout');
  expect((await failureOf(first.thaw())).code).toBe('timeout');
  expect(await (await connectAgent(to(path))).thaw()).toBe(1);
});

test('the agent tells its version and the commands that are enabled', async () => {
  const supported_commands = [
    { name: 'guest-fsfreeze-freeze', enabled: true, 'success-response': true },
    { name: 'guest-exec', enabled: false, 'success-response': true },
  ];
  const path = await always({ return: { version: '7.2.0', supported_commands } });
  expect(await (await connectAgent(to(path))).info()).toEqual({
    version: '7.2.0',
    enabledCommands: ['guest-fsfreeze-freeze'],
  });
});
