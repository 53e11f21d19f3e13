/** The lab cannot do what was asked; the message says why and what to do about it. */
export class LabError extends Error {
  override readonly name = 'LabError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}
