import { join } from 'node:path';
import type { Journal } from '../journal/port.ts';
import { runRequest } from '../operations/run-request.ts';
import type { Request } from '../plan/request.ts';
import { type Finding, series } from './findings.ts';
import { DOMAIN } from './lab-guest.ts';
import { smallDomain } from './small-domain.ts';

/** What one operation cost, by where the time went. */
interface Cost {
  records: number;
  durable: number;
  journalMs: number;
  durableMs: number[];
  toolsMs: number;
  wallMs: number;
}

/** What the engine itself costs, on operations that need no guest, in a process that is warm. */
export async function enginePart(folder: string, rounds: number): Promise<Finding[]> {
  const { session } = await smallDomain(join(folder, 'engine'));
  let cost = noCost();
  const counted = { ...session, journal: counting(session.journal, () => cost) };
  const measure = async (request: Request): Promise<Cost> => {
    cost = noCost();
    const startedMs = performance.now();
    const called = (_effect: unknown, { durationMs }: { durationMs: number }) => {
      cost.toolsMs += durationMs;
    };
    const { outcome } = await runRequest(counted, request, { observer: { called } });
    cost.wallMs = performance.now() - startedMs;
    if (outcome !== 'committed') throw new Error(`${request.operation}: ${outcome}`);
    return cost;
  };
  const costs: Record<'create' | 'delete', Cost[]> = { create: [], delete: [] };
  try {
    for (let round = 0; round <= rounds; round += 1) {
      const name = `s${round}`;
      const made = await measure({ operation: 'create', domain: DOMAIN, name });
      const gone = await measure({ operation: 'delete', domain: DOMAIN, name });
      if (round === 0) continue;
      costs.create.push(made);
      costs.delete.push(gone);
    }
  } finally {
    session.close();
  }
  return [...findingsOf('create', costs.create), ...findingsOf('delete', costs.delete)];
}

const noCost = (): Cost => ({
  records: 0,
  durable: 0,
  journalMs: 0,
  durableMs: [],
  toolsMs: 0,
  wallMs: 0,
});

function findingsOf(operation: string, costs: readonly Cost[]): Finding[] {
  const caseName = `${operation}.offline, one external disk`;
  const one = (what: string, unit: Finding['unit'], values: readonly number[]): Finding => ({
    part: 'engine',
    memoryMb: null,
    what: `${caseName}: ${what}`,
    unit,
    domsnap: series(values),
    against: '',
    other: null,
    verdicts: [],
  });
  return [
    one(
      'journal records an operation',
      'count',
      costs.map(({ records }) => records),
    ),
    one(
      'of them waiting for the disk',
      'count',
      costs.map(({ durable }) => durable),
    ),
    one(
      'one durable record',
      'ms',
      costs.flatMap(({ durableMs }) => durableMs),
    ),
    one(
      'journal an operation',
      'ms',
      costs.map(({ journalMs }) => journalMs),
    ),
    one(
      'tools and files an operation',
      'ms',
      costs.map(({ toolsMs }) => toolsMs),
    ),
    one(
      'all else an operation',
      'ms',
      costs.map(({ wallMs, toolsMs, journalMs }) => wallMs - toolsMs - journalMs),
    ),
  ];
}

/** The journal, with a clock on what is written. */
function counting(journal: Journal, cost: () => Cost): Journal {
  const timed = <T>(durable: boolean, write: () => T): T => {
    const startedMs = performance.now();
    const result = write();
    const ms = performance.now() - startedMs;
    const now = cost();
    now.records += 1;
    now.journalMs += ms;
    if (durable) {
      now.durable += 1;
      now.durableMs.push(ms);
    }
    return result;
  };
  return {
    ...journal,
    open: (...args) => timed(true, () => journal.open(...args)),
    append: (record, options) => timed(options.durable, () => journal.append(record, options)),
  };
}
