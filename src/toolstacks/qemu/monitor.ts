import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { StepError } from '../../engine/step.ts';
import type { ToolCall } from '../../tools/call-log.ts';
import { connectQmp, type Qmp, type QmpAnswer, type QmpCommand } from '../../tools/qmp.ts';
import { socketOwner } from '../../tools/socket-owner.ts';
import { ToolError } from '../../tools/tool-error.ts';
import type { CallContext } from '../port.ts';
import type { QemuDomainConfig } from './domain-config.ts';
import { findDevice, queryBlock } from './graph.ts';
import { MonitorPort } from './monitor-port.ts';
import { processOf, processOfPidFile, type QemuProcess } from './process.ts';
import type { Query } from './query.ts';

const CONNECT_MS = 5_000;
const DYING_MS = 30;
/** QEMU answers in milliseconds; a flush of a slow disk within a command takes longer. */
const COMMAND_MS = 60_000;

const nameQuery: Query<{ name?: string | undefined }> = {
  command: 'query-name',
  schema: z.object({ name: z.string().optional() }),
};

/**
 * The monitor of one domain: one connection, opened when it is first needed, kept, and opened anew
 * when QEMU was.
 */
export class Monitor extends MonitorPort {
  readonly #config: QemuDomainConfig;
  readonly #pidFile: string;
  #qmp: Qmp | undefined;
  #process: QemuProcess | null | undefined;
  #opening: Promise<Qmp | null> | undefined;
  #log: CallContext['log'] = () => {};

  constructor(config: QemuDomainConfig, pidFile: string) {
    super();
    this.#config = config;
    this.#pidFile = pidFile;
  }

  override use(context: CallContext): void {
    this.#log = context.log;
  }

  override async reachable(signal?: AbortSignal): Promise<boolean> {
    return (await this.#reach(signal)) !== null;
  }

  /** Send in one write; each command has its own answer or error. */
  override async try(commands: readonly QmpCommand[], signal?: AbortSignal): Promise<QmpAnswer[]> {
    const qmp = await this.#reach(signal);
    if (!qmp) throw this.#off();
    return qmp.pipeline(commands, { deadlineMs: COMMAND_MS, signal });
  }

  /** It cannot tell while it is off, or where it has hung up. */
  override news(): (ms: number, signal: AbortSignal) => Promise<void> {
    const qmp = this.#qmp;
    const since = qmp?.mark();
    return async (ms, signal) => {
      const told = qmp && !qmp.end;
      const rest = { deadlineMs: ms, signal };
      if (told) await qmp.waitFor(() => true, { ...rest, since }).catch(() => undefined);
      else await sleep(ms, undefined, { signal }).catch(() => undefined);
    };
  }

  /** Looked up once a connection. */
  override process(): QemuProcess | null {
    if (this.#process === undefined || !this.#qmp || this.#qmp.end) {
      const started = processOfPidFile(this.#pidFile);
      const owner = socketOwner(this.#config.monitor, started?.pid);
      this.#process = processOf(owner) ?? started;
    }
    return this.#process;
  }

  override version(): string {
    const { major, minor, micro } = this.#qmp?.version ?? { major: 0, minor: 0, micro: 0 };
    return `${major}.${minor}.${micro}`;
  }

  override close(): void {
    this.#qmp?.close();
    this.#qmp = undefined;
  }

  async #reach(signal: AbortSignal | undefined): Promise<Qmp | null> {
    if (this.#qmp && !this.#qmp.end) return this.#qmp;
    // Two askers at once must not open two connections: QEMU serves one, the other would wait.
    this.#opening ??= this.#open(signal).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(signal: AbortSignal | undefined, triesLeft = 3): Promise<Qmp | null> {
    const { monitor: path, name } = this.#config;
    this.#qmp = undefined;
    try {
      const log = (call: ToolCall) => this.#record(call);
      const qmp = await connectQmp({ path, deadlineMs: CONNECT_MS, log, signal });
      await this.#verify(qmp).catch(error => {
        qmp.close();
        throw error;
      });
      this.#qmp = qmp;
      // Now, and not while the guest stands still: it means to look at every process of the host.
      this.#process = undefined;
      this.process();
      return qmp;
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      if (error.code === 'protocol') throw foreign(`${path} is not the monitor of a QEMU`, error);
      if (error.code === 'closed' && triesLeft > 0) {
        // It was about to die when it was connected to; or somebody there hangs up on us.
        await sleep(DYING_MS, undefined, { signal }).catch(() => undefined);
        return this.#open(signal, triesLeft - 1);
      }
      if (error.code !== 'missing' && error.code !== 'refused') throw error;
      const running = processOfPidFile(this.#pidFile);
      if (!running) return null;
      const message = `QEMU process ${running.pid} of ${name} runs, but its monitor ${path} does not answer: end that process, or wait until it has started`;
      throw new StepError('monitor-lost', message, { cause: error });
    }
  }

  /** Whoever listens there might be another domain: it must have the name, and all of the disks. */
  async #verify(qmp: Qmp): Promise<void> {
    const { name, disks, monitor } = this.#config;
    const found = await qmp.execute(nameQuery.schema, nameQuery.command);
    if (found.name !== undefined && found.name !== name)
      throw foreign(`${monitor} is the monitor of the domain ${found.name}, not of ${name}`);
    const blocks = await qmp.execute(queryBlock.schema, queryBlock.command);
    const lacking = disks.filter(({ device }) => !findDevice(blocks, device));
    if (lacking.length > 0) {
      const devices = lacking.map(({ device }) => device).join(', ');
      throw foreign(`the QEMU at ${monitor} has no disk ${devices}: it is not ${name}`);
    }
  }

  /** What only asks, and is answered, is no news for the audit; there is much of it while waiting. */
  #record(call: ToolCall): void {
    const command = call.command as { execute?: string; connect?: string };
    const asks =
      command.connect !== undefined || /^(x-debug-)?query-|^qom-/.test(command.execute ?? '');
    if (!(asks && call.exit === 'ok')) this.#log(call);
  }

  #off(): StepError {
    return new StepError('off', `the domain ${this.#config.name} is not running`);
  }
}

const foreign = (message: string, cause?: unknown): StepError =>
  new StepError('foreign-monitor', message, { cause, retryable: false });
