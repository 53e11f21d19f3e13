import { createServer } from 'node:net';

/** A unix socket that waits for its one client. */
export interface SocketListener {
  /** When the client's first byte came, on the clock of `performance.now()`. */
  readonly firstByteMs: Promise<number>;
  close(): void;
}

/** Listens on a path that does not exist yet; greets whoever comes, and hangs up on its first byte. */
export function listenOnce(path: string, greeting: string): Promise<SocketListener> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    const firstByteMs = new Promise<number>(told => {
      server.on('connection', socket => {
        socket.on('error', () => {});
        socket.once('data', () => {
          told(performance.now());
          socket.destroy();
        });
        socket.write(greeting);
      });
    });
    server.once('error', reject);
    server.listen(path, () => resolve({ firstByteMs, close: () => server.close() }));
  });
}
