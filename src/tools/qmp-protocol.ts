import { z } from 'zod';
import type { JsonObject } from './json.ts';
import { printable } from './printable.ts';
import { ToolError } from './tool-error.ts';

/** What QEMU says first on a monitor (qapi: QMP introspection, "Server Greeting"). */
export const qmpGreeting = z.object({
  QMP: z.object({
    version: z.object({
      qemu: z.object({
        major: z.number().int().nonnegative(),
        minor: z.number().int().nonnegative(),
        micro: z.number().int().nonnegative(),
      }),
      package: z.string().max(256),
    }),
    capabilities: z.array(z.string()).max(64),
  }),
});

/** The version of a running QEMU. */
export type QemuVersion = {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
  readonly package: string;
};

/** The class and text of an error that QEMU or the guest's agent answered. */
export const qapiError = z.object({ class: z.string().max(128), desc: z.string() });
export type QapiError = z.infer<typeof qapiError>;

const answerError = z.object({ error: qapiError });

/** One line of a monitor, after the greeting. An `id` that is not ours is somebody else's, who may have had none. */
export type QmpLine =
  | { readonly kind: 'event'; readonly raw: unknown }
  | { readonly kind: 'return'; readonly id: unknown; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: unknown; readonly error: QapiError };

/** Whether it answers some command. */
export const isAnswer = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ('return' in value || 'error' in value);

/** Sorts a line into event, return and error. Throws ToolError `protocol` for anything else. */
export function readQmpLine(value: unknown): QmpLine {
  if (typeof value === 'object' && value !== null) {
    if ('event' in value) return { kind: 'event', raw: value };
    const id = 'id' in value ? value.id : undefined;
    if ('return' in value) return { kind: 'return', id, value: value.return };
    const failed = answerError.safeParse(value);
    if (failed.success) return { kind: 'error', id, error: failed.data.error };
  }
  const seen = printable(JSON.stringify(value) ?? '', 200);
  throw new ToolError('qmp', 'protocol', `not an answer to any command: ${seen}`, { seen });
}

/** The ToolError `failed` for a command that QEMU refused or could not do. */
export function commandFailed(command: string, args: JsonObject, error: QapiError): ToolError {
  const desc = printable(error.desc, 2000);
  return new ToolError('qmp', 'failed', `${command}: ${desc}`, {
    command,
    arguments: args,
    class: error.class,
    desc,
  });
}
