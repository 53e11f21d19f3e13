import { existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnDaemon } from '../tools/daemon.ts';
import { connectAgent } from '../tools/guest-agent.ts';
import { type Argv, run } from '../tools/run.ts';
import type { Capture, Command } from '../toolstacks/port.ts';
import { alive, processOfPidFile } from '../toolstacks/qemu/process.ts';
import { BareClient } from './bare-client.ts';
import type { FloorWorld } from './floor.ts';
import { log } from './say.ts';

const TOOL_MS = 10 * 60_000;
const AGENT_MS = 20_000;
const POLL_MS = 1;

/** Does single commands as a plan shows them, each as soon as QEMU is ready for it. */
export class FloorHands {
  readonly #world: FloorWorld;
  readonly #capture: Capture | null;
  readonly #jobs = new Set<string>();
  #client: BareClient | undefined;

  private constructor(world: FloorWorld, capture: Capture | null) {
    this.#world = world;
    this.#capture = capture;
  }

  /** Connected, where the domain runs. */
  static async ready(
    world: FloorWorld,
    { live, capture }: { live: boolean; capture: Capture | null },
  ): Promise<FloorHands> {
    const hands = new FloorHands(world, capture);
    if (live) await hands.#connect();
    return hands;
  }

  perform({ tool, command }: Command): Promise<void> {
    switch (tool) {
      case 'qmp': {
        const { execute, arguments: args = {} } = command as QmpCommand;
        return this.#qmp(execute, args);
      }
      case 'exec':
        return this.#exec(command as unknown as Argv);
      case 'file':
        return onFile(command as unknown as FileCommand);
      case 'agent':
        return this.#agent((command as QmpCommand).execute);
      default:
        throw new Error(`the floor has no hands for ${tool}`);
    }
  }

  /** Ask until there is an answer. */
  async poll<T>(ask: () => T | undefined): Promise<T> {
    const untilMs = performance.now() + TOOL_MS;
    for (;;) {
      const answer = ask();
      if (answer !== undefined) return answer;
      if (performance.now() > untilMs) throw new Error('the floor waits in vain');
      await sleep(POLL_MS);
    }
  }

  close(): void {
    this.#client?.close();
  }

  async #connect(): Promise<BareClient> {
    const client = await BareClient.connect(this.#world.monitor);
    this.#client = client;
    // Else nobody is told how the saving of memory goes.
    await client.send('migrate-set-capabilities', {
      capabilities: [{ capability: 'events', state: true }],
    });
    return client;
  }

  async #qmp(execute: string, args: QmpArgs): Promise<void> {
    const client = this.#client ?? (await this.#connect());
    await this.#readyFor(client, execute, args);
    const { resumes } = client;
    const process = execute === 'quit' ? processOfPidFile(this.#world.pidFile) : null;
    if (execute === 'migrate') client.forget('migration');
    await this.#sent(client, execute, args);
    const job = args['job-id'];
    if (job !== undefined) this.#jobs.add(job);
    if (execute === 'migrate' && this.#capture === 'background') {
      // QEMU lets the guest run by itself.
      await client.until(() => client.resumes > resumes, 'the guest runs while memory is saved');
    } else if (execute === 'migrate') await untilMigrated(client, 'pre-switchover');
    else if (execute === 'migrate-continue') await untilMigrated(client, 'completed');
    else if (execute === 'migrate-incoming') await untilMigrated(client, 'completed');
    else if (execute === 'quit') {
      this.#client = undefined;
      if (process) await this.poll(() => !alive(process) || undefined);
    }
  }

  /** QEMU says that the memory is saved a moment before it can be told to let the guest run. */
  async #sent(client: BareClient, execute: string, args: QmpArgs): Promise<void> {
    for (;;) {
      try {
        return await client.send(execute, args);
      } catch (error) {
        if (execute !== 'cont' || !String(error).includes('not finalized yet')) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  /** A command that would fail now is not given before its time. */
  async #readyFor(client: BareClient, execute: string, { id = '' }: QmpArgs): Promise<void> {
    const job = (status: string) =>
      client.until(() => client.statuses(id).has(status), `${id} is ${status}`);
    switch (execute) {
      case 'job-complete':
        return job('ready');
      case 'job-finalize':
        return job('pending');
      case 'job-dismiss':
        await job('concluded');
        this.#jobs.delete(id);
        client.forget(id);
        return;
      case 'stop':
      case 'human-monitor-command': {
        const arrived = (one: string) =>
          ['ready', 'pending', 'concluded'].some(status => client.statuses(one).has(status));
        return client.until(() => [...this.#jobs].every(arrived), 'all has been merged');
      }
      case 'migrate-set-capabilities':
        if (client.statuses('migration').has('active')) await untilMigrated(client, 'completed');
    }
  }

  async #exec(argv: Argv): Promise<void> {
    if (!argv.includes('-pidfile')) {
      await run(argv, { timeoutMs: TOOL_MS, log });
      return;
    }
    await spawnDaemon(argv, { log, logFile: this.#world.logFile });
    await this.#connect();
  }

  async #agent(execute: string): Promise<void> {
    const agent = await connectAgent({ path: this.#world.agent, deadlineMs: AGENT_MS, log });
    try {
      await (execute.endsWith('freeze') ? agent.freeze() : agent.thaw());
    } finally {
      agent.close();
    }
  }
}

type QmpArgs = { readonly id?: string; readonly 'job-id'?: string };
type QmpCommand = { readonly execute: string; readonly arguments?: QmpArgs };
type FileCommand = readonly [verb: string, path: string, to?: string];

async function untilMigrated(client: BareClient, status: string): Promise<void> {
  const seen = () => client.statuses('migration');
  await client.until(() => seen().has(status) || seen().has('failed'), `memory: ${status}`);
  if (!seen().has(status)) throw new Error('the memory was not saved or loaded');
}

async function onFile([verb, path, to = '']: FileCommand): Promise<void> {
  switch (verb) {
    case 'create-exclusive':
      return synced(path, 'wx');
    case 'fsync':
      return synced(path, 'r');
    case 'move': {
      // A folder means: into it, under the same name.
      const target = to.endsWith('/') ? join(to, basename(path)) : to;
      // What one step has moved away, a later one need not.
      if (!existsSync(path)) return;
      await mkdir(dirname(target), { recursive: true });
      return rename(path, target);
    }
    case 'chown-like':
      // The bench's files all have one owner.
      return;
    default:
      throw new Error(`the floor has no hands for ${verb}`);
  }
}

async function synced(path: string, flags: 'wx' | 'r'): Promise<void> {
  const file = await open(path, flags, 0o600);
  await file.sync().finally(() => file.close());
}
