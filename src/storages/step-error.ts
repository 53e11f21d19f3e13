import { StepError } from '../engine/step.ts';
import { unnamedFileError } from '../tools/file-errors.ts';
import { ToolError } from '../tools/tool-error.ts';

/**
 * What a failed tool means to a step that works on an image. Codes: `in-use` (another process has the
 * image open), `busy` (a tool of an earlier life is still at work), `no-space`, `missing`, `exists`,
 * `permission`, `bad-image` (a header that nobody should follow), `tool-missing`, `timeout`,
 * `aborted`, `tool-failed`. What is no error of a tool or a file system is a bug, and is returned as it is.
 */
export function imageError(error: unknown): unknown {
  const cause = unnamedFileError(error) ?? error;
  if (!(cause instanceof ToolError)) return cause;
  const { code, retryable } = meaningOf(cause);
  return new StepError(code, cause.message, { cause, retryable });
}

/** Run tools; their errors become StepErrors. */
export async function asStep<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw imageError(cause);
  }
}

/** The StepError for an image whose header nobody should follow. Trying again changes nothing. */
export function badImage(path: string, why: string): StepError {
  return new StepError('bad-image', `${path} ${why}`, { retryable: false });
}

interface Meaning {
  readonly code: string;
  readonly retryable: boolean;
}

const MEANING_OF_ERRNO: Readonly<Record<string, Meaning>> = {
  ENOSPC: { code: 'no-space', retryable: true },
  EDQUOT: { code: 'no-space', retryable: true },
  EEXIST: { code: 'exists', retryable: false },
  EACCES: { code: 'permission', retryable: false },
  EPERM: { code: 'permission', retryable: false },
  EROFS: { code: 'permission', retryable: false },
};

/** What qemu-img and LVM say on stderr; their exit codes are 1 and 5 for everything. */
const MEANING_OF_TEXT: readonly (Meaning & { readonly text: RegExp })[] = [
  { text: /Failed to get .*lock|another process using/i, code: 'in-use', retryable: true },
  { text: /No space left on device|Disk quota exceeded/i, code: 'no-space', retryable: true },
  // What LVM says of a group, and of a pool.
  { text: /insufficient (free|suitable)|reached threshold/i, code: 'no-space', retryable: true },
  { text: /\b(volume|filesystem|device) .*in use\b/i, code: 'in-use', retryable: true },
  { text: /No such file or directory/i, code: 'missing', retryable: false },
  { text: /Permission denied|Read-only file system/i, code: 'permission', retryable: false },
  { text: /not in \w+ format|corrupt|Unknown driver/i, code: 'bad-image', retryable: false },
];

function meaningOf({ tool, code, detail, message }: ToolError): Meaning {
  switch (code) {
    case 'timeout':
    case 'aborted':
    case 'busy':
      return { code, retryable: true };
    case 'missing':
      return { code: tool === 'file' ? 'missing' : 'tool-missing', retryable: false };
    case 'protocol':
    case 'too-large':
      return { code: 'bad-image', retryable: false };
    case 'refused':
      return { code: 'refused', retryable: false };
    default: {
      const byErrno = MEANING_OF_ERRNO[String(detail.errno)];
      const byText = MEANING_OF_TEXT.find(({ text }) => text.test(message));
      return byErrno ?? byText ?? { code: 'tool-failed', retryable: true };
    }
  }
}
