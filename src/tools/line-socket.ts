import { statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { armDeadline, type Limits } from './deadline.ts';
import { errnoOf, ToolError, type ToolErrorCode, type ToolName } from './tool-error.ts';

const codeOfErrno: { readonly [errno: string]: ToolErrorCode } = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  // The listener's queue is full: QEMU listens with a queue of one.
  EAGAIN: 'busy',
};

/**
 * Connects to a unix socket. The returned socket delivers nothing until it gets a `data` listener.
 * Throws ToolError: `missing` (no such path), `refused` (not a socket, nobody listens, no
 * permission), `busy` (the listener's queue is full), `timeout`, `aborted`.
 */
export function connectSocket(tool: ToolName, path: string, limits: Limits): Promise<Socket> {
  return new Promise((resolve, reject) => {
    try {
      if (!statSync(path).isSocket()) {
        reject(new ToolError(tool, 'refused', `${path} is not a socket`, { path }));
        return;
      }
    } catch (cause) {
      reject(socketError(tool, path, cause));
      return;
    }
    const socket = connect({ path });
    const disarm = armDeadline(limits, why => {
      socket.destroy();
      reject(new ToolError(tool, why, `could not connect to ${path} in time`, { path }));
    });
    socket.once('error', cause => {
      disarm();
      reject(socketError(tool, path, cause));
    });
    socket.once('connect', () => {
      disarm();
      socket.removeAllListeners('error');
      // Whoever gets the socket learns of its end by `close`; an error without a listener would
      // end the process.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function socketError(tool: ToolName, path: string, cause: unknown): ToolError {
  const errno = errnoOf(cause) ?? 'unknown';
  const code = codeOfErrno[errno] ?? 'refused';
  return new ToolError(tool, code, `cannot connect to ${path}: ${errno}`, { path, errno }, cause);
}
