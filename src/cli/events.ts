// What a running operation tells: with --json each is a line of its own (see schema.ts).

/** The plan is known; nothing has been touched yet. */
export interface PlannedEvent {
  readonly event: 'planned';
  readonly operation: string;
  readonly domain: string;
  readonly name: string;
  readonly case: string;
  readonly title: string;
  readonly bytesToMove: number;
  readonly steps: readonly {
    readonly step: string;
    readonly says: string;
    readonly window: boolean;
    readonly pivot: boolean;
    readonly idle: boolean;
  }[];
  readonly notes: readonly { readonly what: string; readonly why: string }[];
}

/** A step begins, or has come to its end in one way or another. */
export interface StepEvent {
  readonly event: 'step';
  readonly operation: string;
  readonly seq: number;
  readonly step: string;
  readonly says: string;
  /** `undo`: it takes another step's effect back. */
  readonly kind: 'forward' | 'undo';
  readonly status: 'started' | 'done' | 'failed' | 'deadline' | 'aborted';
  /** The guest may stand still in it. */
  readonly window: boolean;
  /** From its record to the record of its end; null where an earlier life began it. */
  readonly elapsedMs: number | null;
  /** It is done because there was nothing to do in it. */
  readonly idle: boolean;
  readonly error?: { readonly code: string; readonly message: string };
}

/** How far a long step has come. `total` 0: not known. */
export interface ProgressEvent {
  readonly event: 'progress';
  readonly operation: string;
  readonly step: string;
  readonly done: number;
  readonly total: number;
  readonly unit: 'bytes' | 'items';
}

/** An operation that an earlier life left open is brought to its end. */
export interface RecoveringEvent {
  readonly event: 'recovering';
  readonly operation: string;
  readonly domain: string;
  readonly case: string;
}

/** Somebody asked for an end. */
export interface SignalEvent {
  readonly event: 'signal';
  readonly signal: string;
  readonly action: 'abort' | 'too-late' | 'park';
  readonly says: string;
}

/** Anything that is told while an operation runs. */
export type CliEvent = PlannedEvent | StepEvent | ProgressEvent | RecoveringEvent | SignalEvent;

/** Where events go. */
export type EventSink = (event: CliEvent) => void;
