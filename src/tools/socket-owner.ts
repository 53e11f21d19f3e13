import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { pids } from './process.ts';

type UnixSocket = {
  readonly inode: string;
  readonly state: 'listening' | 'connected' | 'waiting';
};

/** The unix sockets bound to a path, from /proc/net/unix (proc(5)); of our network namespace only. */
function socketsAt(path: string): UnixSocket[] {
  let table: string;
  try {
    table = readFileSync('/proc/net/unix', 'utf8');
  } catch {
    return [];
  }
  const sockets: UnixSocket[] = [];
  for (const line of table.split('\n')) {
    // Num RefCount Protocol Flags Type St Inode Path; the path may hold spaces.
    const fields = /^\S+ +\S+ +\S+ +(\S+) +\S+ +\S+ +(\d+) (.*)$/.exec(line);
    if (fields?.[3] !== path) continue;
    const [, flags, inode] = fields;
    // Flag 0x10000 is SO_ACCEPTCON. Connections carry the path on the listener's side, and get an
    // inode when they are accepted.
    if (flags === '00010000') sockets.push({ inode: inode!, state: 'listening' });
    else sockets.push({ inode: inode!, state: inode === '0' ? 'waiting' : 'connected' });
  }
  return sockets;
}

/**
 * Whether a connection to `path` has not been accepted while another one is served: what a second
 * client of a QEMU socket sees (measured on 7.2).
 */
export function waitsForAnother(path: string): boolean {
  const states = socketsAt(path).map(socket => socket.state);
  return states.includes('waiting') && states.includes('connected');
}

/**
 * The pid of the process that listens on a unix socket. Null if there is none, if it cannot be seen
 * (another user's, another namespace), or if several processes listen under that very path (an
 * older one whose path was taken over): then nobody can tell who would answer. `likely`: who it was
 * when it was started; looking at all files of all processes takes tens of ms on a busy host.
 */
export function socketOwner(path: string, likely?: number | undefined): number | null {
  const listening = socketsAt(path).filter(socket => socket.state === 'listening');
  const wanted = new Set(listening.map(socket => `socket:[${socket.inode}]`));
  if (wanted.size === 0) return null;
  // One socket is one process's: only where it is not the likely one are all of them looked at.
  if (wanted.size === 1 && likely !== undefined && holdsOne(likely, wanted)) return likely;
  const [owner, ...others] = pids().filter(pid => holdsOne(pid, wanted));
  return owner !== undefined && others.length === 0 ? owner : null;
}

function holdsOne(pid: number, links: ReadonlySet<string>): boolean {
  let fds: string[];
  try {
    fds = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return false;
  }
  return fds.some(fd => {
    try {
      return links.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false;
    }
  });
}
