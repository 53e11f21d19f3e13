import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  answering,
  NoLibvirtError,
  ownConfig,
  VIRTLOGD_SOCKET,
} from '../../../src/bench/libvirt.ts';
import { type Daemon, spawnDaemon } from '../../../src/tools/daemon.ts';
import { processAlive, terminate } from '../../../src/tools/process.ts';
import { run } from '../../../src/tools/run.ts';

const UP_MS = 20_000;
const VIRSH_MS = 30_000;
/** systemd's RestartSec, where a unit says nothing. */
const RESTART_MS = 100;

const log = (): void => {};

/** The campaign's own libvirtd, which may be killed; the host's is never touched. */
export class Libvirtd {
  readonly uri: string;
  readonly #folder: string;
  readonly #config: string;
  #version = '';
  #logs: Daemon | undefined;
  #daemon: Daemon | undefined;

  /** Start one. Throws NoLibvirtError: not installed, not root, or the host has one that runs. */
  static async start(folder: string): Promise<Libvirtd> {
    if (process.getuid?.() !== 0) throw new NoLibvirtError('the campaign kills a libvirtd of root');
    if (await answering('qemu:///system'))
      throw new NoLibvirtError('this host has a libvirtd, which must not be killed');
    const { config, uri } = await ownConfig(folder);
    const mine = new Libvirtd(folder, config, uri);
    try {
      if (!existsSync(VIRTLOGD_SOCKET)) mine.#logs = await mine.#spawn('virtlogd');
      await mine.ensure();
      return mine;
    } catch (error) {
      await mine.close();
      throw error;
    }
  }

  private constructor(folder: string, config: string, uri: string) {
    this.#folder = folder;
    this.#config = config;
    this.uri = uri;
  }

  get version(): string {
    return this.#version;
  }

  /** Its process, or null. */
  get pid(): number | null {
    const { pid, startTicks } = this.#daemon ?? {};
    if (pid === undefined || startTicks === null) return null;
    return processAlive(pid, startTicks) ? pid : null;
  }

  /**
   * If it is dead, start it as systemd would, and again should it end at once; come back once it answers.
   * Throws NoLibvirtError.
   */
  async ensure(): Promise<void> {
    const untilMs = performance.now() + UP_MS;
    for (;;) {
      if (this.pid === null) {
        if (this.#daemon) await sleep(RESTART_MS);
        this.#daemon = await this.#spawn('libvirtd', '-f', this.#config);
      }
      const found = await answering(this.uri);
      if (found) {
        this.#version = found.version;
        return;
      }
      if (performance.now() > untilMs) throw new NoLibvirtError('libvirtd does not answer');
      await sleep(50);
    }
  }

  /** What a virsh says, without its headings. Throws ToolError. */
  async virsh(...args: readonly string[]): Promise<string> {
    return (await run(this.argv(args), { timeoutMs: VIRSH_MS, log })).stdout;
  }

  /** The words of a virsh that talks to this libvirtd. */
  argv(args: readonly string[]): [string, ...string[]] {
    return ['virsh', '-q', '-c', this.uri, ...args];
  }

  /** End what was started. */
  async close(): Promise<void> {
    for (const one of [this.#daemon, this.#logs]) {
      if (one && one.startTicks !== null)
        await terminate(one.pid, one.startTicks, { graceMs: 5_000, log });
    }
  }

  #spawn(program: string, ...args: string[]): Promise<Daemon> {
    const file = (ending: string): string => join(this.#folder, `${program}.${ending}`);
    const argv = [program, ...args, '-p', file('pid')] as const;
    return spawnDaemon(argv, { log, logFile: file('log') });
  }
}
