import { execa } from 'execa';
import { ToolError } from './tool-error.ts';

/**
 * Run a program whose output goes straight to our own terminal, progress and colours included.
 * Throws ToolError `failed` with the exit code, `missing`.
 */
export async function runVisibly(
  argv: readonly [string, ...string[]],
  options: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const [program, ...args] = argv;
  const { failed, exitCode, code } = await execa(program, args, {
    reject: false,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...(options.env ? { env: options.env } : {}),
  });
  if (!failed) return;
  if (code === 'ENOENT') throw new ToolError('exec', 'missing', `${program} is not installed`);
  throw new ToolError('exec', 'failed', `${args.join(' ')} ended with exit code ${exitCode}`, {
    exit: exitCode ?? null,
  });
}
