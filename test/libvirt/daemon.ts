import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Daemon, spawnDaemon } from '../../src/tools/daemon.ts';
import { processAlive, terminate } from '../../src/tools/process.ts';
import { run } from '../../src/tools/run.ts';
import { ToolError } from '../../src/tools/tool-error.ts';
import { Virsh } from '../../src/tools/virsh.ts';

const UP_MS = 30_000;
const VIRSH_MS = 60_000;
/** systemd.service(5), RestartSec. */
const RESTART_MS = 100;
const log = (): void => {};

/** Folders of libvirt's that a daemon of the tests has for itself. */
const OWN = [
  '/etc/libvirt',
  '/var/lib/libvirt',
  '/run/libvirt',
  '/var/log/libvirt',
  '/var/cache/libvirt',
];

/** As which user this daemon's QEMU runs: root, or the one that Debian's package makes. */
export type QemuUser = 'root' | 'libvirt-qemu';

/**
 * A libvirtd of the tests' own: it sees its own folders in the place of the host's, by a mount namespace,
 * and is reached by a socket of its own. The host's libvirt never hears of it. Needs root.
 */
export class TestLibvirtd {
  readonly uri: string;
  readonly #folder: string;
  readonly #shell: Virsh;
  #daemon: Daemon | undefined;
  #coming: Promise<void> | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.uri = `qemu+unix:///system?socket=${join(folder, 'libvirt-sock')}`;
    this.#shell = new Virsh({ connect: this.uri, log });
  }

  /** Start one below a folder. */
  static async start(
    folder: string,
    user: QemuUser = 'root',
    security: 'none' | 'apparmor' = 'none',
  ): Promise<TestLibvirtd> {
    if (process.getuid?.() !== 0)
      throw new Error('the tests of libvirt start a libvirtd: run them as root');
    mkdirSync(folder, { recursive: true });
    // QEMU runs as another user in there.
    chmodSync(folder, 0o755);
    for (const path of OWN) mkdirSync(ownPath(folder, path), { recursive: true });
    writeFileSync(
      join(ownPath(folder, '/etc/libvirt'), 'libvirtd.conf'),
      `auth_unix_ro = "none"\nauth_unix_rw = "none"\nunix_sock_dir = "${folder}"\n`,
    );
    writeFileSync(
      join(ownPath(folder, '/etc/libvirt'), 'qemu.conf'),
      `stdio_handler = "file"\nsecurity_driver = "${security}"\nuser = "${user}"\ngroup = "${user}"\n`,
    );
    const mine = new TestLibvirtd(folder);
    await mine.ensure();
    return mine;
  }

  /** Its process, or null. */
  get pid(): number | null {
    const { pid, startTicks } = this.#daemon ?? {};
    if (pid === undefined || !startTicks) return null;
    return processAlive(pid, startTicks) ? pid : null;
  }

  /** If it is dead, start it; come back once it answers. */
  ensure(): Promise<void> {
    this.#coming ??= this.#ensure().finally(() => {
      this.#coming = undefined;
    });
    return this.#coming;
  }

  async #ensure(): Promise<void> {
    const untilMs = performance.now() + UP_MS;
    for (;;) {
      if (this.pid === null) this.#daemon = await this.#spawn();
      const error = await this.virsh('version').catch(problem => problem);
      if (typeof error === 'string') return;
      if (!(error instanceof ToolError)) throw error;
      if (performance.now() > untilMs)
        throw new Error('libvirtd does not answer', { cause: error });
      await sleep(50);
    }
  }

  /** What a virsh says, without its headings. Throws ToolError. */
  async virsh(...args: readonly string[]): Promise<string> {
    const argv = ['virsh', '-q', '-c', this.uri, ...args] as const;
    return (await run(argv, { timeoutMs: VIRSH_MS, log })).stdout.trim();
  }

  /** The same by one virsh that stays, in a thirtieth of the time; with headings, where there are any. */
  async ask(...words: readonly string[]): Promise<string> {
    return (await this.#shell.call(words, { deadlineMs: VIRSH_MS })).trim();
  }

  /** Kill it as a crash would. Its QEMUs go on. */
  kill(): void {
    if (this.pid !== null) process.kill(this.pid, 'SIGKILL');
  }

  /** Kill it, and have it started again as systemd would, 100 ms later; `ensure` tells when it answers. */
  crash(): boolean {
    if (this.pid === null || this.#coming) return false;
    this.kill();
    this.#coming = sleep(RESTART_MS)
      .then(() => this.#ensure())
      .finally(() => {
        this.#coming = undefined;
      });
    // Whoever asks for it hears of it.
    this.#coming.catch(() => {});
    return true;
  }

  /** What it would read of a running domain if it were started now. */
  statusFile(domain: string): string {
    return join(ownPath(this.#folder, '/run/libvirt'), 'qemu', `${domain}.xml`);
  }

  /** Whether it has come back to a domain that it had begun to start, and waits for its QEMU for good. */
  waitsForNobody(domain: string): boolean {
    const path = this.statusFile(domain);
    return existsSync(path) && / pid='0'/.test(readFileSync(path, 'utf8'));
  }

  /** What a person does then. */
  async free(domain: string): Promise<void> {
    this.kill();
    rmSync(this.statusFile(domain));
    await this.ensure();
  }

  /** End it. Domains are the caller's to end before. */
  async close(): Promise<void> {
    this.#shell.close();
    const { pid, startTicks } = this.#daemon ?? {};
    if (pid !== undefined && startTicks) await terminate(pid, startTicks, { graceMs: 5_000, log });
  }

  #spawn(): Promise<Daemon> {
    const mounts = OWN.map(
      path => `mkdir -p ${path}; mount --bind ${ownPath(this.#folder, path)} ${path}`,
    );
    const config = join(ownPath(this.#folder, '/etc/libvirt'), 'libvirtd.conf');
    const script = [...mounts, `exec libvirtd -f ${config} -p ${join(this.#folder, 'pid')}`].join(
      '; ',
    );
    const argv = [
      'unshare',
      '--mount',
      '--propagation',
      'private',
      '/bin/sh',
      '-ec',
      script,
    ] as const;
    return spawnDaemon(argv, { log, logFile: join(this.#folder, 'libvirtd.log') });
  }
}

const ownPath = (folder: string, path: string): string =>
  join(folder, path.slice(1).replaceAll('/', '-'));
