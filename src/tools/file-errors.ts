import { type CallSink, startCall } from './call-log.ts';
import { errnoOf, ToolError, type ToolErrorCode } from './tool-error.ts';

const codeOfErrno: { readonly [errno: string]: ToolErrorCode } = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  ABORT_ERR: 'aborted',
};

/** The ToolError for a failed file operation; `errno` is in its detail (`ENOSPC`, `EEXIST`, …). */
export function fileError(operation: string, path: string, cause: unknown): ToolError {
  if (cause instanceof ToolError) return cause;
  const errno = errnoOf(cause) || 'unknown';
  const detail = { operation, path, errno };
  const message = `${operation} ${path}: ${errno}`;
  return new ToolError('file', codeOfErrno[errno] ?? 'failed', message, detail, cause);
}

/** The ToolError for an error of the file system that nobody has named: a disk may fail anywhere, and that is no bug. */
export function unnamedFileError(error: unknown): ToolError | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  const { syscall, path } = error as NodeJS.ErrnoException;
  return fileError(String(syscall), String(path ?? ''), error);
}

/** Runs one file operation, logged as a tool call, its failure turned into a ToolError. */
export async function fileCall<T>(
  log: CallSink,
  command: readonly [operation: string, path: string, ...rest: string[]],
  act: () => Promise<T>,
): Promise<T> {
  const end = startCall(log, 'file', command);
  try {
    const result = await act();
    end('ok', typeof result === 'string' || typeof result === 'number' ? String(result) : '');
    return result;
  } catch (cause) {
    const error = fileError(command[0], command[1], cause);
    const { errno } = error.detail;
    end(typeof errno === 'string' ? errno : error.code, '');
    throw error;
  }
}
