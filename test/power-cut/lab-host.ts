import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** What a lab host is started with; all paths absolute. */
export interface LabHostOptions {
  readonly kernel: string;
  readonly initramfs: string;
  readonly root: string;
  /** Where the data disk is mounted. */
  readonly data: string;
  /** More mount options for it, each behind a comma. */
  readonly mount: string;
  /** The disk that went through a power cut: recovered from at boot. */
  readonly recovered?: string | undefined;
  /** The disk that the next power cut is for, and where all that is written to it is logged. */
  readonly fresh?: { readonly image: string; readonly log: string } | undefined;
  readonly console: string;
}

/** What a command on the lab host said, and how it ended. */
export interface Answer {
  readonly status: number;
  readonly lines: readonly string[];
}

/** A running lab host. */
export interface LabHost {
  /** What the boot said, and how the unit's command ended. */
  readonly boot: Promise<Answer>;
  /** One line of shell. Rejects when the host is gone before it has ended. */
  run(line: string, onLine?: (line: string) => void): Promise<Answer>;
  /** The power cut. */
  cut(): Promise<void>;
}

const DEADLINE_MS = 240_000;

/** Boot a lab host under software emulation. */
export function startLabHost(options: LabHostOptions): LabHost {
  const child = spawn('qemu-system-x86_64', argumentsOf(options), {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // Whoever calls the run off leaves no host behind.
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  let stderr = '';
  child.stderr.on('data', data => {
    stderr += data;
  });
  // A host that is cut off reads no more; that is told by its end.
  child.stdin.on('error', () => {});
  let waiting: Waiting | undefined;
  const gone = new Promise<void>(resolve =>
    child.once('close', () => {
      process.off('exit', end);
      const console = readFileSync(options.console, { encoding: 'utf8', flag: 'a+' });
      waiting?.reject(new Error(`the lab host is gone: ${stderr}\n${console.slice(0, 2000)}`));
      waiting = undefined;
      resolve();
    }),
  );
  createInterface({ input: child.stdout }).on('line', raw => {
    const line = raw.replace(/\r$/, '');
    const ended = /^= (\d+)$/.exec(line);
    if (!ended) {
      if (line === '' || !waiting) return;
      waiting.lines.push(line);
      waiting.onLine?.(line);
      return;
    }
    waiting?.resolve({ status: Number(ended[1]), lines: waiting.lines });
    waiting = undefined;
  });
  const answer = (onLine?: (line: string) => void) =>
    new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting = undefined;
        reject(new Error(`the lab host does not answer for ${DEADLINE_MS} ms`));
      }, DEADLINE_MS);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          then(value);
        };
      waiting = { lines: [], onLine, resolve: settle(resolve), reject: settle(reject) };
    });
  const boot = answer();
  boot.catch(() => {});
  return {
    boot,
    run(line, onLine) {
      if (waiting) throw new Error('the lab host is still at work on the line before');
      const answered = answer(onLine);
      child.stdin.write(`${line}\n`);
      return answered;
    },
    async cut() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

interface Waiting {
  readonly lines: string[];
  readonly onLine: ((line: string) => void) | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

function argumentsOf(options: LabHostOptions): string[] {
  const { recovered, fresh, data, mount } = options;
  const commandLine = [
    'console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off tsc=unstable nokaslr',
    'cryptomgr.notests apparmor=0 audit=0',
    `domsnap_data=${data} domsnap_mount=${mount}`,
  ].join(' ');
  return [
    ['-accel', 'tcg,thread=multi,tb-size=256', '-machine', 'pc', '-cpu', 'Nehalem'],
    ['-smp', '1', '-m', '1024', '-nodefaults', '-no-user-config', '-display', 'none'],
    ['-no-reboot', '-kernel', options.kernel, '-initrd', options.initramfs],
    ['-append', commandLine, '-serial', `file:${options.console}`],
    ['-chardev', 'stdio,id=control,signal=off', '-serial', 'chardev:control'],
    disk('root', { driver: 'file', filename: options.root, 'read-only': true }),
    ...(recovered ? [disk('recovered', { driver: 'file', filename: recovered })] : []),
    ...(fresh
      ? [
          ['-blockdev', blockdev('fresh-log', { driver: 'file', filename: fresh.log })],
          ['-blockdev', blockdev('fresh-file', { driver: 'file', filename: fresh.image })],
          disk('fresh', { driver: 'blklogwrites', file: 'fresh-file', log: 'fresh-log' }),
        ]
      : []),
  ].flat();
}

const blockdev = (name: string, how: object) => JSON.stringify({ 'node-name': name, ...how });

const disk = (name: string, how: object): string[] => [
  ...['-blockdev', blockdev(name, how)],
  ...['-device', `virtio-blk-pci,drive=${name},serial=${name}`],
];
