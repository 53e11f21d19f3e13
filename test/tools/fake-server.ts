import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempFolder } from './temp-folder.ts';

export const greeting = {
  QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 }, package: 'test' }, capabilities: [] },
};

type Request = { readonly execute: string; readonly id?: number; readonly arguments?: unknown };

/** A unix server whose behaviour towards each client is the test's; returns its path. */
export async function fakeServer(serve: (socket: Socket) => void): Promise<string> {
  const path = join(tempFolder(), 'server.sock');
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>(resolve => server.listen(path, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

/** Calls `answer` with each request that comes in, the agent's sentinels removed. */
export function onRequests(socket: Socket, answer: (request: Request) => void): void {
  let held = '';
  socket.on('data', chunk => {
    held += chunk.toString('latin1').replaceAll('\xff', '');
    const lines = held.split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) answer(JSON.parse(line) as Request);
  });
}

export function sendLine(socket: Socket, value: unknown): void {
  socket.write(`${JSON.stringify(value)}\n`);
}

/** A monitor that greets and negotiates like QEMU, and leaves all further commands to the test. */
export function fakeMonitor(
  answer: (request: Required<Pick<Request, 'execute' | 'id'>>, socket: Socket) => void,
): Promise<string> {
  return fakeServer(socket => {
    sendLine(socket, greeting);
    onRequests(socket, request => {
      const { execute, id = -1 } = request;
      if (execute === 'qmp_capabilities') sendLine(socket, { return: {}, id });
      else answer({ execute, id }, socket);
    });
  });
}

/** Writes until the client hangs up; returns after how many bytes. */
export function flood(socket: Socket, chunk: Buffer, maxBytes: number): () => number {
  let sentBytes = 0;
  const more = () => {
    while (!socket.destroyed && sentBytes < maxBytes) {
      sentBytes += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', more);
  more();
  return () => sentBytes;
}
