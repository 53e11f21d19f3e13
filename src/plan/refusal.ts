/** Why something is refused before anything is touched, and what to type next. */
export interface Refusal {
  /** A short word for programs. */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** A request that is refused at the door. `usage`: it is malformed, rather than impossible here. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusals: readonly Refusal[];
  readonly usage: boolean;

  constructor(refusals: readonly Refusal[], options: { usage?: boolean } = {}) {
    super(refusals.map(({ message }) => message).join('; '));
    this.refusals = refusals;
    this.usage = options.usage ?? false;
  }
}

/** One refusal as an error. */
export function refuse(code: string, message: string, hint = ''): RefusedError {
  return new RefusedError([{ code, message, hint }]);
}

/** Malformed input: exit code 2. */
export function misused(code: string, message: string, hint = ''): RefusedError {
  return new RefusedError([{ code, message, hint }], { usage: true });
}
