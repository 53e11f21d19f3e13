import { parseAnswer, type QmpAnswer, type QmpCommand } from '../../tools/qmp.ts';
import { ToolError } from '../../tools/tool-error.ts';
import type { CallContext } from '../port.ts';
import type { QemuProcess } from './process.ts';
import type { Query } from './query.ts';

/**
 * The way to a QEMU's monitor: a socket of domsnap's own, or through another's hands. Throws ToolErrors;
 * and StepErrors `off`, `foreign-monitor`, `monitor-lost`.
 */
export abstract class MonitorPort {
  /** Which effect the calls from here on belong to. */
  abstract use(context: CallContext): void;
  /** Whether the domain runs. */
  abstract reachable(signal?: AbortSignal): Promise<boolean>;
  /** Send in order; each command has its own answer or error. */
  abstract try(commands: readonly QmpCommand[], signal?: AbortSignal): Promise<QmpAnswer[]>;
  /**
   * From now on: wait until the domain tells of an event, `ms` at most. Also where it cannot tell; who
   * waits asks anew anyway.
   */
  abstract news(): (ms: number, signal: AbortSignal) => Promise<void>;
  /** The process behind the monitor; null where it cannot be seen. */
  abstract process(): QemuProcess | null;
  abstract version(): string;
  abstract close(): void;

  /** Ask; the questions go out together. Asked again once where the connection was stale. */
  async ask<const T extends readonly Query<unknown>[]>(
    queries: T,
    signal?: AbortSignal,
  ): Promise<{ [K in keyof T]: T[K] extends Query<infer Answer> ? Answer : never }> {
    const answers = await this.send(queries, signal).catch(error => {
      if (!(error instanceof ToolError) || error.code !== 'closed') throw error;
      return this.send(queries, signal);
    });
    return queries.map(({ schema, command }, index) =>
      parseAnswer(schema, command, answers[index]),
    ) as never;
  }

  /** Send in order; throws the first error, after all have been answered. */
  async send(commands: readonly QmpCommand[], signal?: AbortSignal): Promise<unknown[]> {
    const answers = await this.try(commands, signal);
    return answers.map(answer => {
      if (!answer.ok) throw answer.error;
      return answer.value;
    });
  }
}
