import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { StepError } from '../../engine/step.ts';
import { argvOf, pids } from '../../tools/process.ts';
import type { QmpAnswer, QmpCommand } from '../../tools/qmp.ts';
import { ToolError } from '../../tools/tool-error.ts';
import type { CallContext } from '../port.ts';
import { MonitorPort } from '../qemu/monitor-port.ts';
import { alive, processOf, type QemuProcess } from '../qemu/process.ts';
import type { Libvirt } from './libvirt.ts';

const answerSchema = z.lazy(() =>
  z.union([
    z.object({ return: z.unknown() }),
    z.object({ error: z.object({ class: z.string(), desc: z.string() }) }),
  ]),
);
const versionSchema = z.object({
  qemu: z.object({ major: z.number(), minor: z.number(), micro: z.number() }),
});

/** Commands that change nothing. */
const QUESTION = /^(x-debug-)?query-|^qom-(list|get)$/;

/**
 * QEMU's monitor through libvirt (virsh qemu-monitor-command), for questions and for what libvirt has no
 * verb for. Libvirt marks the domain as `custom-monitor` for it, in its log and in `virsh dominfo`.
 */
export class PassthroughMonitor extends MonitorPort {
  readonly #libvirt: Libvirt;
  #process: QemuProcess | null = null;
  #version = '';
  /** Why libvirt answers nothing that is about the domain's QEMU, of which there is none. */
  #stuck: StepError | undefined;

  constructor(libvirt: Libvirt) {
    super();
    this.#libvirt = libvirt;
  }

  override use(context: CallContext): void {
    this.#libvirt.use(context);
  }

  override async reachable(signal?: AbortSignal): Promise<boolean> {
    try {
      await this.try([{ command: 'query-status' }], signal);
      return true;
    } catch (error) {
      if (error instanceof StepError && error.code === 'off') return false;
      throw error;
    }
  }

  override async try(commands: readonly QmpCommand[], signal?: AbortSignal): Promise<QmpAnswer[]> {
    if (this.#version === '') this.#version = await this.#askVersion();
    const answers: QmpAnswer[] = [];
    for (const one of commands) {
      if (signal?.aborted) throw new StepError('aborted', `${one.command}: called off`);
      answers.push(await this.#send(one));
    }
    return answers;
  }

  /** Libvirt keeps QEMU's events to itself. */
  override news(): (ms: number, signal: AbortSignal) => Promise<void> {
    return async (ms, signal) => {
      await sleep(ms, undefined, { signal }).catch(() => undefined);
    };
  }

  /** The QEMU with the domain's UUID among its arguments: libvirt's own word for it may be out of date. */
  override process(): QemuProcess | null {
    const known = this.#process;
    if (known && alive(known)) return known;
    this.#process = qemuOf(this.#libvirt.config.uuid);
    return this.#process;
  }

  override version(): string {
    return this.#version;
  }

  override close(): void {
    this.#libvirt.close();
  }

  async #askVersion(): Promise<string> {
    const answer = await this.#send({ command: 'query-version' });
    if (!answer.ok) throw answer.error;
    const { major, minor, micro } = versionSchema.parse(answer.value).qemu;
    return `${major}.${minor}.${micro}`;
  }

  async #send({ command, args }: QmpCommand): Promise<QmpAnswer> {
    if (this.#stuck && this.process() === null) throw this.#stuck;
    const line = JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}) });
    const words = ['qemu-monitor-command', '--cmd', line] as const;
    const said = QUESTION.test(command)
      ? this.#libvirt.ask(...words)
      : this.#libvirt.verb(...words);
    const text = await said.catch(error => this.#asOff(error));
    const answer = answerSchema.safeParse(parsed(text));
    if (!answer.success) {
      const message = `the answer to ${command} is not what QEMU documents`;
      throw new ToolError('qmp', 'protocol', message, { command }, answer.error);
    }
    if ('return' in answer.data) return { ok: true, value: answer.data.return };
    const { class: errorClass, desc } = answer.data.error;
    const detail = { command, class: errorClass, desc };
    return { ok: false, error: new ToolError('qmp', 'failed', `${command}: ${desc}`, detail) };
  }

  /** A transient domain that ends is forgotten; and of one that libvirt waits for in vain it answers nothing. */
  #asOff(error: unknown): never {
    if (!(error instanceof StepError)) throw error;
    const isStuck =
      /cannot acquire state change lock/.test(error.message) && this.process() === null;
    if (!isStuck && error.code !== 'no-domain') throw error;
    const off = new StepError('off', error.message, { cause: error });
    if (isStuck) this.#stuck = off;
    throw off;
  }
}

/** The QEMU process that libvirt has started for a domain (its `-uuid`), whatever libvirt thinks of it. */
export function qemuOf(uuid: string): QemuProcess | null {
  for (const pid of pids()) {
    const argv = argvOf(pid);
    if (argv?.[argv.indexOf('-uuid') + 1] === uuid && argv.includes('-uuid')) return processOf(pid);
  }
  return null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
