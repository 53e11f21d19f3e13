import { z } from 'zod';
import { type Argv, type RunOptions, run } from './run.ts';
import { ToolError } from './tool-error.ts';

/** A size or count in a tool's JSON. */
export const bytes = z.number().int().nonnegative();

/** `shared` reads although a QEMU holds the image's lock (`-U`); what it reads may be in motion. */
export type ImageOptions = Pick<RunOptions, 'log' | 'signal'> & {
  readonly shared: boolean;
  readonly timeoutMs?: number | undefined;
};

/** The limits of one call: the caller's time, or the usual one. */
export function limitsOf(
  options: ImageOptions & Pick<RunOptions, 'maxOutputBytes'>,
  timeoutMs: number,
): RunOptions {
  const { log, signal, maxOutputBytes } = options;
  return { log, signal, maxOutputBytes, timeoutMs: options.timeoutMs ?? timeoutMs };
}

/** Runs qemu-img and parses its JSON. */
export async function ask<T>(
  schema: z.ZodType<T>,
  argv: Argv,
  options: ImageOptions & Pick<RunOptions, 'maxOutputBytes'>,
  timeoutMs: number,
): Promise<T> {
  const { stdout } = await run(argv, limitsOf(options, timeoutMs));
  return parse(schema, argv, stdout);
}

/** Parses JSON that a tool printed. Throws ToolError `protocol`. */
export function parse<T>(schema: z.ZodType<T>, argv: Argv, stdout: string): T {
  try {
    return schema.parse(JSON.parse(stdout));
  } catch (cause) {
    const message = `${argv.slice(0, 2).join(' ')} printed what its documentation does not say`;
    throw new ToolError('exec', 'protocol', message, { argv }, cause);
  }
}

/** The ToolError `protocol` for an image whose header nobody should follow. */
export function untrusted(path: string, why: string): ToolError {
  return new ToolError('exec', 'protocol', `${path} ${why}`, { path });
}
