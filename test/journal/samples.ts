import type { NewRecord, Operation } from '../../src/journal/port.ts';

/** An open operation on a subject. */
export const operation = (id: string, subject = 'web1'): Operation => ({
  id,
  subject,
  caseId: 'create.offline.disk-only.internal',
  caseVersion: 1,
  status: 'open',
  openedAt: 1,
  closedAt: null,
});

/** The `seq`-th record of an operation. */
export const record = (operationId: string, seq: number): NewRecord => ({
  operation: operationId,
  seq,
  at: 1_000 + seq,
  fact:
    seq === 0
      ? {
          type: 'started',
          input: { a: 1 },
          deadlines: {},
          who: { uid: 0, login: 'root', host: 'h', pid: 1 },
        }
      : { type: 'done', effect: `s${seq}`, output: { n: seq } },
  from: seq === 0 ? '' : `s${seq}`,
  to: `s${seq + 1}`,
  effects: [{ key: `${operationId}/${seq}/s`, id: 's', step: 's' }],
  calls: [
    { tool: 'exec', command: ['true'], durationMs: 1.5, exit: 0, answerDigest: 'e3b0c44298fc1c14' },
  ],
});
