import { z } from 'zod';
import {
  Consistency,
  Domain,
  DomainDisk,
  Memory,
  Snapshot,
  SnapshotDisk,
} from '../catalog/model.ts';
import { STATUSES } from '../journal/port.ts';

// What every command prints with --json, for programs that read it: one document, a line long, on
// stdout. `create`, `revert`, `undo`, `delete`, `recover`, `gc` and `doctor --fix` print events before it (EventJson, a line each), and
// mark it as the last with `event: "result"`; so does every command that comes to nothing
// (FailureJson). `log --follow` and `log export` print a line for each record. Additions may come in any version;
// nothing is taken away or renamed without a new major version. Times are ISO 8601 in UTC, sizes are
// bytes, durations milliseconds.

const refusal = z.object({ code: z.string(), message: z.string(), hint: z.string() });
const who = z.object({
  uid: z.number(),
  login: z.string(),
  host: z.string(),
  pid: z.number(),
  reason: z.string().optional(),
});
const note = z.object({ what: z.string(), why: z.string() });

/** Any command that came to nothing: the last line, whatever came before it. */
export const FailureJson = z.object({
  event: z.literal('result'),
  ok: z.literal(false),
  exit: z.number().int().min(1).max(6),
  error: refusal.extend({ refusals: z.array(refusal), now: z.string() }),
});

/** A snapshot, as all commands show it. */
export const SnapshotDocument = z.object({
  name: z.string(),
  parent: z.string().nullable(),
  kind: Snapshot.shape.kind,
  state: Snapshot.shape.state,
  createdAt: z.iso.datetime(),
  consistency: Consistency,
  why: z.string(),
  description: z.string(),
  operation: z.string(),
  disks: z.array(SnapshotDisk),
  memory: Memory.nullable(),
});
const sized = SnapshotDocument.extend({
  ownBytes: z.number(),
  sharedBytes: z.number(),
  missing: z.array(z.string()),
  /** What a volume manager says of its volumes; null where they lie in none. */
  volume: z
    .object({ usedPercent: z.number().nullable(), broken: z.string().nullable() })
    .nullable(),
});

const step = z.object({
  step: z.string(),
  says: z.string(),
  window: z.boolean(),
  pivot: z.boolean(),
});
/** `idle`: there is nothing to do in it. */
const plannedStep = step.extend({ idle: z.boolean() });

/** A line of `create`, `revert`, `delete` and `recover` before the last. */
export const EventJson = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('planned'),
    operation: z.string(),
    domain: z.string(),
    name: z.string(),
    case: z.string(),
    title: z.string(),
    bytesToMove: z.number(),
    steps: z.array(plannedStep),
    notes: z.array(note),
  }),
  z.object({
    event: z.literal('step'),
    operation: z.string(),
    seq: z.number().int(),
    step: z.string(),
    says: z.string(),
    kind: z.enum(['forward', 'undo']),
    status: z.enum(['started', 'done', 'failed', 'deadline', 'aborted']),
    window: z.boolean(),
    elapsedMs: z.number().nullable(),
    /** It is done because there was nothing to do in it. */
    idle: z.boolean(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
  }),
  z.object({
    event: z.literal('progress'),
    operation: z.string(),
    step: z.string(),
    done: z.number(),
    total: z.number(),
    unit: z.enum(['bytes', 'items']),
  }),
  z.object({
    event: z.literal('recovering'),
    operation: z.string(),
    domain: z.string(),
    case: z.string(),
  }),
  z.object({
    event: z.literal('signal'),
    signal: z.string(),
    action: z.enum(['abort', 'too-late', 'park']),
    says: z.string(),
  }),
]);

const outcome = z.object({
  ok: z.boolean(),
  exit: z.number().int(),
  operation: z.string(),
  domain: z.string(),
  name: z.string(),
  case: z.string(),
  outcome: z.enum(['committed', 'rolledBack', 'needsAttention', 'parked']),
  state: z.string(),
  failures: z.array(z.object({ step: z.string(), code: z.string(), message: z.string() })),
  guestPauseMs: z.number().nullable(),
  elapsedMs: z.number(),
  domainState: z.enum(['running', 'paused', 'off', 'other', 'unknown']),
  /** How it stood before; null where no record says so. */
  runBefore: z.string().nullable(),
  /** It was to be up and is off: its process has gone meanwhile. */
  died: z.boolean(),
  snapshot: SnapshotDocument.nullable(),
  recovered: z.array(z.string()),
  error: refusal.optional(),
});

/** The last line of `create`, `revert` and `delete`, where an operation was begun. */
export const ResultJson = outcome.extend({ event: z.literal('result') });

/** The last line of `recover`. */
export const RecoverJson = z.object({
  event: z.literal('result'),
  ok: z.boolean(),
  exit: z.number().int(),
  operations: z.array(outcome),
});

/** The last line of `undo`: a revert, and the delete of the node that it went back to. */
export const UndoJson = z.object({
  event: z.literal('result'),
  ok: z.boolean(),
  exit: z.number().int(),
  domain: z.string(),
  /** The operation that is taken back. */
  undoes: z.string(),
  /** The node that keeps what the disks held since. */
  kept: z.string().nullable(),
  /** The guest goes on from the memory of its safety checkpoint. */
  memory: z.boolean(),
  /** Snapshots that were made since; they stay. */
  since: z.array(z.string()),
  operations: z.array(outcome),
  /** Why the node that was gone back to is still there, where it is. */
  left: z.array(refusal),
});

const failures = z.array(z.object({ step: z.string(), code: z.string(), message: z.string() }));
const command = z.object({ tool: z.enum(['qmp', 'agent', 'exec', 'file']), command: z.json() });

/** The last line of `gc`. */
export const GcJson = z.object({
  event: z.literal('result'),
  ok: z.boolean(),
  exit: z.number().int(),
  dryRun: z.boolean(),
  /** null where nothing was to be removed. */
  operation: z.string().nullable(),
  outcome: z.enum(['committed', 'rolledBack', 'needsAttention', 'parked']).nullable(),
  purged: z.object({ files: z.number().int(), bytes: z.number() }),
  kept: z.object({ files: z.number().int(), bytes: z.number() }),
  files: z.array(
    z.object({
      path: z.string(),
      from: z.string(),
      operation: z.string(),
      domain: z.string().nullable(),
      bytes: z.number(),
      ageMs: z.number(),
      verdict: z.enum(['purge', 'keep']),
      why: z.string(),
    }),
  ),
  /** What stands in the trash and is not domsnap's: left alone. */
  skipped: z.array(z.object({ path: z.string(), why: z.string() })),
  folders: z.array(z.string()),
  failures,
});

/** The last line of `doctor`; `findings` is what is so after all repairs. */
export const DoctorJson = z.object({
  event: z.literal('result'),
  ok: z.boolean(),
  exit: z.number().int(),
  domains: z.array(z.string()),
  findings: z.array(
    z.object({
      code: z.string(),
      domain: z.string().nullable(),
      severity: z.enum(['attention', 'advice']),
      what: z.string(),
      meaning: z.string(),
      hint: z.string(),
      repair: z
        .object({
          case: z.string().nullable(),
          /** false: only with `--sure CODE`. */
          proven: z.boolean(),
          steps: z.array(
            z.object({ step: z.string(), says: z.string(), commands: z.array(command) }),
          ),
        })
        .nullable(),
    }),
  ),
  repaired: z.array(
    z.object({
      code: z.string(),
      domain: z.string().nullable(),
      what: z.string(),
      operation: z.string(),
      case: z.string(),
      outcome: z.enum(['committed', 'rolledBack', 'needsAttention', 'parked']),
      failures,
    }),
  ),
});

const domainDocument = Domain.extend({ addedAt: z.iso.datetime() });

/** `domain add`, `domain list`, `domain show`, `domain start|stop`, `domain remove`. */
export const DomainAddJson = z.object({
  ok: z.literal(true),
  domain: domainDocument,
  updated: z.boolean(),
  /** Disks of a libvirt domain that no snapshot can hold. */
  others: z.array(z.object({ device: z.string(), why: z.string() })).optional(),
});
export const DomainListJson = z.object({
  ok: z.literal(true),
  domains: z.array(domainDocument.extend({ state: z.string(), why: z.string().nullable() })),
});
const works = z.object({ works: z.boolean(), why: z.string() });
export const DomainShowJson = z.object({
  ok: z.literal(true),
  domain: domainDocument,
  view: z.object({
    runState: z.enum(['off', 'running', 'paused', 'other']),
    rawState: z.string(),
    disks: z.array(z.object({ device: z.string(), chain: z.array(DomainDisk.shape.head) })),
    /** What the next start writes to, where the toolstack itself says so. */
    configured: z.array(DomainDisk),
    jobs: z.array(
      z.object({
        id: z.string(),
        kind: z.string(),
        status: z.string(),
        error: z.string().nullable(),
      }),
    ),
    deviceDigest: z.string(),
    memoryBytes: z.number(),
    captures: z.object({ background: works, precopy: works, paused: works }),
    agent: z.object({ answers: z.boolean(), why: z.string() }),
    version: z.string(),
  }),
});
export const DomainStateJson = z.object({
  ok: z.literal(true),
  domain: z.string(),
  state: z.string(),
});
export const DomainRemoveJson = z.object({
  ok: z.literal(true),
  domain: z.string(),
  /** Where its disks are; `inFile`: the path that its domain file names. */
  heads: z.array(
    DomainDisk.shape.head.extend({ device: z.string(), inFile: z.string().nullable() }),
  ),
});

/** `list`, without a domain and with one. */
export const ListJson = z.object({
  ok: z.literal(true),
  domains: z.array(
    z.object({
      name: z.string(),
      current: z.string().nullable(),
      snapshots: z.number().int(),
      newest: z.object({ name: z.string(), createdAt: z.iso.datetime() }).nullable(),
    }),
  ),
});
export const ListDomainJson = z.object({
  ok: z.literal(true),
  domain: z.string(),
  current: z.string().nullable(),
  snapshots: z.array(sized),
});

/** `show`. */
export const ShowJson = z.object({
  ok: z.literal(true),
  domain: z.string(),
  snapshot: sized,
  children: z.array(z.string()),
  current: z.boolean(),
  by: who.nullable(),
});

/** `export` and `import`. */
export const ExportJson = z.object({
  ok: z.literal(true),
  domain: z.string(),
  name: z.string(),
  xml: z.string(),
});
export const ImportJson = z.object({
  ok: z.literal(true),
  domain: z.string(),
  /** Those that are new in the tree. */
  snapshots: z.array(z.string()),
});

/** `plan create|revert|delete`; refused where `ok` is false. */
export const PlanJson = z.object({
  ok: z.boolean(),
  exit: z.number().int(),
  domain: z.string(),
  name: z.string(),
  case: z.string(),
  title: z.string(),
  conditions: z.record(z.string(), z.union([z.string(), z.boolean()])),
  pivot: z.string().nullable(),
  steps: z.array(
    plannedStep.extend({
      deadlineMs: z.number(),
      commands: z.array(
        z.object({ tool: z.enum(['qmp', 'agent', 'exec', 'file']), command: z.json() }),
      ),
    }),
  ),
  bytesToMove: z.number(),
  space: z.array(z.object({ folder: z.string(), bytes: z.number(), freeBytes: z.number() })),
  notes: z.array(note),
  refusals: z.array(refusal),
});

/** A record of the journal: `log export`, and with `event: "record"` around it `log --follow`. */
export const RecordJson = z.object({
  position: z.number().int(),
  operation: z.string(),
  seq: z.number().int(),
  at: z.number(),
  fact: z.object({ type: z.string() }).loose(),
  from: z.string(),
  to: z.string(),
  effects: z.array(z.object({ key: z.string(), id: z.string(), step: z.string() })),
  calls: z.array(
    z.object({
      tool: z.string(),
      command: z.json(),
      durationMs: z.number(),
      exit: z.union([z.string(), z.number()]),
      answerDigest: z.string(),
    }),
  ),
  prev: z.string(),
  hash: z.string(),
});
export const FollowJson = z.object({
  event: z.literal('record'),
  domain: z.string(),
  record: RecordJson,
});

const operation = z.object({
  id: z.string(),
  domain: z.string(),
  name: z.string().nullable(),
  case: z.string(),
  caseVersion: z.number().int(),
  status: z.enum(STATUSES),
  openedAt: z.iso.datetime(),
  closedAt: z.iso.datetime().nullable(),
  who: who.nullable(),
});

/** `log`, `log --operation`, `log verify`. */
export const LogJson = z.object({ ok: z.literal(true), operations: z.array(operation) });
export const LogOperationJson = z.object({
  ok: z.literal(true),
  operation,
  records: z.array(RecordJson),
});
export const LogVerifyJson = z.object({
  ok: z.boolean(),
  exit: z.number().int(),
  records: z.number().int(),
  faults: z.array(z.object({ position: z.number().int(), what: z.string() })),
});

const caseDocument = z.object({
  id: z.string(),
  version: z.number().int(),
  title: z.string(),
  story: z.string(),
  steps: z.array(step.extend({ deadlineMs: z.number(), undo: z.string().nullable() })),
});

/** `cases`, `cases CASE`, `graph`. */
export const CasesJson = z.object({ ok: z.literal(true), cases: z.array(caseDocument) });
export const CaseJson = z.object({ ok: z.literal(true), case: caseDocument });
export const GraphJson = z.object({
  ok: z.literal(true),
  case: z.string(),
  format: z.enum(['mermaid', 'svg', 'json']),
  graph: z.string(),
});

/** `lab up`, `lab status`, `lab down`. */
export const LabUpJson = DomainStateJson.extend({ folder: z.string() });
export const LabStatusJson = z.object({
  ok: z.literal(true),
  folder: z.string(),
  state: z.enum(['absent', 'off', 'running', 'paused']),
  counters: z.record(z.string(), z.number().nullable()).nullable(),
  known: z.boolean(),
});
export const LabDownJson = DomainRemoveJson.omit({ heads: true });
