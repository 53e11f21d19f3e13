import { StepError } from '../../engine/step.ts';
import { unnamedFileError } from '../../tools/file-errors.ts';
import { ToolError } from '../../tools/tool-error.ts';

/** The StepError that an error of a tool or a file system comes to; any other error is a bug, and given back as it is. */
export function stepError(cause: unknown): unknown {
  const error = unnamedFileError(cause) ?? cause;
  if (!(error instanceof ToolError)) return error;
  if (error.tool === 'qmp') return monitorError(error);
  if (error.tool === 'agent') return agentError(error);
  return fileOrProgramError(error);
}

/** Runs a piece of work; a ToolError that it throws comes out as a StepError. */
export async function asStep<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw stepError(error);
  }
}

function monitorError(error: ToolError): StepError {
  const { message, detail } = error;
  const make = (code: string, retryable: boolean) =>
    new StepError(code, message, { cause: error, retryable });
  switch (error.code) {
    case 'missing':
    case 'refused':
      return make('off', true);
    case 'busy':
      return make('monitor-busy', true);
    case 'closed':
      return make('monitor-closed', true);
    case 'timeout':
      return make('monitor-timeout', true);
    case 'aborted':
      return make('aborted', true);
    case 'failed':
      if (/no space left/i.test(message)) return make('no-space', true);
      // A node that a job holds is free again when the job has ended.
      return make('refused', /is busy|in use|in progress/i.test(String(detail.desc)));
    default:
      // Whose monitor it is was proved when it was connected to, and is again when it is connected anew:
      // one answer that cannot be read must not leave a guest standing still.
      return make('monitor-garbled', true);
  }
}

function agentError(error: ToolError): StepError {
  const code = {
    missing: 'no-agent',
    refused: 'no-agent',
    busy: 'no-agent',
    timeout: 'agent-timeout',
    aborted: 'aborted',
    closed: 'agent-closed',
    failed: 'agent-refused',
    protocol: 'agent-distrusted',
    'too-large': 'agent-distrusted',
  }[error.code];
  // What cannot be read is asked for once more, on a new connection: the guest may be frozen.
  const retryable = code !== 'agent-refused';
  return new StepError(code, error.message, { cause: error, retryable });
}

function fileOrProgramError(error: ToolError): StepError {
  const noSpace = error.detail.errno === 'ENOSPC' || /no space left/i.test(error.message);
  const code = noSpace ? 'no-space' : error.code === 'failed' ? 'tool-failed' : error.code;
  const retryable = !['missing', 'refused', 'protocol', 'too-large'].includes(code);
  return new StepError(code, error.message, { cause: error, retryable });
}
