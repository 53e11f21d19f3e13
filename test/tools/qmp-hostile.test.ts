import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { ToolCall } from '../../src/tools/call-log.ts';
import { connectQmp } from '../../src/tools/qmp.ts';
import { failureOf } from './failure.ts';
import { fakeMonitor, fakeServer, flood, greeting, onRequests, sendLine } from './fake-server.ts';
import { tempFolder } from './temp-folder.ts';

const quiet = () => {};
const to = (path: string, deadlineMs = 400) => ({ path, deadlineMs, log: quiet });

test('a path that does not exist is missing', async () => {
  const error = await failureOf(connectQmp(to(join(tempFolder(), 'none'))));
  expect(error).toMatchObject({ tool: 'qmp', code: 'missing', detail: { errno: 'ENOENT' } });
});

test('a path that is no socket is refused', async () => {
  const path = join(tempFolder(), 'file');
  writeFileSync(path, '');
  expect((await failureOf(connectQmp(to(path)))).code).toBe('refused');
});

test('a socket on which nobody listens any more is refused', async () => {
  const path = join(tempFolder(), 'dead.sock');
  const moved = `${path}.kept`;
  const server = createServer();
  await new Promise<void>(resolve => server.listen(path, resolve));
  const { linkSync } = await import('node:fs');
  linkSync(path, moved);
  await new Promise(resolve => server.close(resolve));
  expect(await failureOf(connectQmp(to(moved)))).toMatchObject({
    code: 'refused',
    detail: { errno: 'ECONNREFUSED' },
  });
});

test('a monitor that never greets times out within the deadline', async () => {
  const path = await fakeServer(() => {});
  const startedMs = performance.now();
  expect((await failureOf(connectQmp(to(path, 200)))).code).toBe('timeout');
  expect(performance.now() - startedMs).toBeLessThan(1000);
});

test('a monitor that greets but never negotiates times out within the deadline', async () => {
  const path = await fakeServer(socket => sendLine(socket, greeting));
  expect((await failureOf(connectQmp(to(path, 200)))).code).toBe('timeout');
});

test.each([
  ['no JSON', 'hello there\r\n'],
  ['JSON of something else', '{"MPD": 1}\n'],
  ['a greeting whose version is a text', '{"QMP":{"version":"9","capabilities":[]}}\n'],
  ['binary noise', Buffer.from([0xff, 0xfe, 0, 10])],
])('a greeting that is %s is a protocol error', async (_, bytes) => {
  const path = await fakeServer(socket => socket.write(bytes));
  expect((await failureOf(connectQmp(to(path)))).code).toBe('protocol');
});

test('a monitor that hangs up instead of greeting is closed', async () => {
  const path = await fakeServer(socket => socket.destroy());
  expect((await failureOf(connectQmp(to(path)))).code).toBe('closed');
});

test('a line that never ends is cut off at the limit, not at a gigabyte', async () => {
  let sentBytes = () => 0;
  const path = await fakeServer(socket => {
    sentBytes = flood(socket, Buffer.alloc(1024 * 1024, 'x'), 1024 ** 3);
  });
  const error = await failureOf(connectQmp(to(path, 20_000)));
  expect(error.code).toBe('too-large');
  expect(sentBytes()).toBeLessThan(64 * 1024 * 1024);
});

test('an event larger than any of QEMU ends the connection', async () => {
  const path = await fakeMonitor((_, socket) => {
    const timestamp = { seconds: 1, microseconds: 0 };
    sendLine(socket, { event: 'BIG', data: { text: 'x'.repeat(100_000) }, timestamp });
  });
  const qmp = await connectQmp(to(path));
  expect((await failureOf(qmp.execute(z.unknown(), 'query-status'))).code).toBe('too-large');
});

test('a monitor that hangs up after the command leaves it unanswered and itself unusable', async () => {
  const path = await fakeMonitor((_, socket) => socket.destroy());
  const qmp = await connectQmp(to(path));
  expect((await failureOf(qmp.execute(z.unknown(), 'stop'))).code).toBe('closed');
  expect((await failureOf(qmp.execute(z.unknown(), 'cont'))).code).toBe('closed');
  expect((await failureOf(qmp.waitFor(() => true, { deadlineMs: 5000 }))).code).toBe('closed');
});

test('after a timeout the connection is closed, so that a late answer cannot be taken for another', async () => {
  const path = await fakeMonitor(() => {});
  const qmp = await connectQmp(to(path));
  const error = await failureOf(qmp.execute(z.unknown(), 'stop', {}, { deadlineMs: 100 }));
  expect(error.code).toBe('timeout');
  expect(error.message).toContain('connection is closed');
  expect(qmp.end?.code).toBe('closed');
  expect((await failureOf(qmp.execute(z.unknown(), 'cont'))).code).toBe('closed');
});

test('a command that is aborted in flight closes the connection too', async () => {
  const path = await fakeMonitor(() => {});
  const qmp = await connectQmp(to(path, 5000));
  const abort = new AbortController();
  const running = failureOf(qmp.execute(z.unknown(), 'stop', {}, { signal: abort.signal }));
  abort.abort();
  expect((await running).code).toBe('aborted');
  expect(qmp.end?.code).toBe('closed');
});

test('a command that is aborted before it was sent leaves the connection open', async () => {
  const path = await fakeMonitor(({ id }, socket) => sendLine(socket, { return: 7, id }));
  const qmp = await connectQmp(to(path));
  const signal = AbortSignal.abort();
  const error = await failureOf(qmp.execute(z.unknown(), 'stop', {}, { signal }));
  expect(error).toMatchObject({ code: 'aborted', detail: { sent: false } });
  expect(await qmp.execute(z.number(), 'query')).toBe(7);
});

const gone = [
  ['with an id that nobody sent', { return: {}, id: 1 }],
  ['without an id', { return: {} }],
  ['with a text for an id', { return: {}, id: 'x' }],
  ['that is an error', { error: { class: 'GenericError', desc: 'x' }, id: 2 }],
  ['that is an error without an id', { error: { class: 'GenericError', desc: 'x' } }],
] as const;

test.each(gone)('an answer %s is one to a client that has gone', async (_, late) => {
  const path = await fakeServer(socket => {
    for (const value of [late, greeting, late]) sendLine(socket, value);
    onRequests(socket, ({ id, execute }) => {
      for (const value of [late, { return: execute, id }]) sendLine(socket, value);
    });
  });
  const qmp = await connectQmp(to(path));
  const answers = [qmp.execute(z.string(), 'a'), qmp.execute(z.string(), 'b')];
  expect(await Promise.all(answers)).toEqual(['a', 'b']);
});

test.each([
  ['that is a number', 5],
  ['that is null', null],
  ['that is an event without a time', { event: 'STOP' }],
])('an answer %s is a protocol error', async (_, answer) => {
  const path = await fakeMonitor((_request, socket) => sendLine(socket, answer));
  const qmp = await connectQmp(to(path));
  expect((await failureOf(qmp.execute(z.unknown(), 'stop'))).code).toBe('protocol');
  expect(qmp.end?.code).toBe('protocol');
});

test('an answer that does not fit the schema is a protocol error that names the place', async () => {
  const path = await fakeMonitor(({ id }, socket) => sendLine(socket, { return: { a: 'x' }, id }));
  const qmp = await connectQmp(to(path));
  const error = await failureOf(qmp.execute(z.object({ a: z.number() }), 'query-a'));
  expect(error.code).toBe('protocol');
  expect(error.detail.issues).toContain('a');
});

test('answers that arrive in pieces and in the wrong order find their commands', async () => {
  const ids: number[] = [];
  const path = await fakeMonitor(({ id }, socket) => {
    ids.push(id);
    if (ids.length < 2) return;
    const text = [...ids]
      .reverse()
      .map(n => `{"return":${n},"id":${n}}\r\n`)
      .join('');
    for (const byte of Buffer.from(text)) socket.write(Buffer.of(byte));
  });
  const qmp = await connectQmp(to(path, 5000));
  const [first, second] = await Promise.all([
    qmp.execute(z.number(), 'a'),
    qmp.execute(z.number(), 'b'),
  ]);
  expect([first, second]).toEqual(ids);
});

test('a pipeline cut short says which commands were answered and which were not', async () => {
  const path = await fakeMonitor(({ id, execute }, socket) => {
    if (execute === 'stop') sendLine(socket, { return: {}, id });
  });
  const qmp = await connectQmp(to(path));
  const answers = await qmp.pipeline([{ command: 'stop' }, { command: 'cont' }], {
    deadlineMs: 150,
  });
  expect(answers[0]).toEqual({ ok: true, value: {} });
  expect(answers[1]).toMatchObject({ ok: false, error: { code: 'timeout' } });
});

test('of a thousand events too many the cursor says that they are lost', async () => {
  const path = await fakeMonitor(({ id }, socket) => {
    const timestamp = { seconds: 1, microseconds: 0 };
    for (let n = 0; n < 1500; n += 1) sendLine(socket, { event: 'E', data: { n }, timestamp });
    sendLine(socket, { return: {}, id });
  });
  const qmp = await connectQmp(to(path, 5000));
  const since = qmp.mark();
  await qmp.execute(z.unknown(), 'flood');
  const none = qmp.waitFor(event => event.data.n === 3, { since, deadlineMs: 100 });
  expect(await failureOf(none)).toMatchObject({ code: 'too-large', detail: { lost: 500 } });
  const kept = await qmp.waitFor(event => event.data.n === 1400, { since, deadlineMs: 100 });
  expect(kept.event).toBe('E');
});

test('every call is logged with its end, and no secret of its arguments', async () => {
  const path = await fakeMonitor(({ id }, socket) => sendLine(socket, { return: {}, id }));
  const calls: ToolCall[] = [];
  const qmp = await connectQmp({ path, deadlineMs: 1000, log: call => calls.push(call) });
  await qmp.execute(z.unknown(), 'object-add', { 'qom-type': 'secret', data: 'hunter2' });
  expect(calls.map(call => call.exit)).toEqual(['ok', 'ok', 'ok']);
  expect(calls[2]?.command).toEqual({
    execute: 'object-add',
    arguments: { 'qom-type': 'secret', data: '[redacted]' },
  });
  expect(calls[2]?.answerDigest).toMatch(/^[0-9a-f]{16}$/);
});

test('a flood of well-formed events does not outlast the deadline of a command', async () => {
  const path = await fakeMonitor((_, socket) => {
    const event = { event: 'E', timestamp: { seconds: 1, microseconds: 0 } };
    flood(socket, Buffer.from(`${JSON.stringify(event)}\n`.repeat(500)), 1024 ** 3);
  });
  const qmp = await connectQmp(to(path));
  const startedMs = performance.now();
  expect((await failureOf(qmp.execute(z.unknown(), 'stop'))).code).toBe('timeout');
  expect(performance.now() - startedMs).toBeLessThan(3000);
});
