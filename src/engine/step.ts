import type { z } from 'zod';
import type { Json } from './json.ts';

/**
 * What the world says about an effect that may or may not have happened.
 * `unknown` is for a world that fits neither: it ends in `needsAttention`, never in a guess.
 */
export type Probe<Output> =
  | { readonly state: 'absent' }
  | ({ readonly state: 'present' } & Acted<Output>)
  | { readonly state: 'running' }
  | { readonly state: 'unknown'; readonly why: string };

/** What an effect leaves: its output for later steps, and changes for the catalog. */
export interface Acted<Output> {
  readonly output: Output;
  /** Applied in the same transaction as the record of the effect's success. */
  readonly changes?: readonly Json[];
}

/** What the engine tells a step about the effect that it is to carry out. */
export interface EffectContext {
  /** `operation/seq/step`: artifacts carry it, so that a probe knows its own work. */
  readonly key: string;
  readonly operation: string;
  /** 0 for the first try of this effect in this visit of its state. */
  readonly attempt: number;
  /** Whoever did this before, or did what this takes back, may have been cut short in the midst of it. */
  readonly again: boolean;
  /** Fires on abort and on the deadline. A step that does not look at it keeps the operation waiting. */
  readonly signal: AbortSignal;
  /** Every call of a tool, for the audit. */
  readonly log: (call: ToolCallRecord) => void;
  /** How far a long step has come. */
  readonly progress: (progress: Progress) => void;
  /** Outputs of the steps before this one. */
  readonly results: Readonly<Record<string, unknown>>;
  /** What has gone wrong in this operation so far: a compensation may learn what never began. */
  readonly failures: readonly {
    readonly step: string;
    readonly code: string;
    readonly begun?: false;
  }[];
}

/** One call of a tool, as the audit keeps it. */
export interface ToolCallRecord {
  readonly tool: string;
  readonly command: Json;
  readonly durationMs: number;
  readonly exit: string | number;
  /** The start of the answer's SHA-256: the audit proves it without holding it. */
  readonly answerDigest: string;
}

/** How far a long step has come. `total` 0: not known. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly unit: 'bytes' | 'items';
}

/** One action on the world, with the question whether it has happened. */
export interface Step<Input = unknown, Output = unknown> {
  /** Picks what the step needs out of the case's input; refuses what does not fit. */
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType<Output>;
  probe(input: Input, context: EffectContext): Promise<Probe<Output>>;
  act(input: Input, context: EffectContext): Promise<Acted<Output>>;
}

/** The effects that an engine can carry out, by name. */
export type Steps = Readonly<Record<string, Step>>;

/** Ties a step's types together; the engine itself sees `unknown`. */
export function defineStep<Input, Output>(step: Step<Input, Output>): Step {
  return step as unknown as Step;
}

/**
 * The one way for a step to fail. Everything else that a step throws is a bug and stops the process.
 */
export class StepError extends Error {
  override readonly name = 'StepError';
  /** A short word for programs, such as `no-space`; `unknown` says that the effect is in doubt. */
  readonly code: string;
  /** Whether the same again may go well; retried only where a machine cannot go back. */
  readonly retryable: boolean;
  /** What the catalog must learn of an effect that came half way; applied with the record of the failure. */
  readonly changes: readonly Json[];

  constructor(
    code: string,
    message: string,
    options: { cause?: unknown; retryable?: boolean; changes?: readonly Json[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? true;
    this.changes = options.changes ?? [];
  }
}
