import type { Domain } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import type { Toolstack } from '../toolstacks/port.ts';
import { withToolstack } from './run-request.ts';
import type { Session } from './session.ts';

/** What the trash of the host stands under in the journal: no domain can have this name. */
export const TRASH_SUBJECT = '(host)/trash';

/** Open what an operation works on: a domain, or what belongs to none. */
export function withSubject<T>(
  session: Session,
  subject: string,
  body: (toolstack: Toolstack, domain: Domain) => Promise<T>,
): Promise<T> {
  return subject === TRASH_SUBJECT
    ? body(nothing, NO_DOMAIN)
    : withToolstack(session, subject, body);
}

const NO_DOMAIN: Domain = {
  name: TRASH_SUBJECT,
  toolstack: 'qemu',
  config: null,
  disks: [],
  current: null,
  addedAt: 0,
};

const off = (): never => {
  throw new StepError('off', 'this operation works on no domain', { retryable: false });
};

/** The toolstack of no domain. */
const nothing: Toolstack = {
  inspect: async () => off(),
  runState: async () => off(),
  liveDisks: async () => [],
  frozen: async () => false,
  jobs: async () => [],
  liveTags: async () => ({}),
  records: async () => [],
  record: () => Promise.reject(new Error('a host has no snapshots')),
  perform: async () => off(),
  preview: () => [],
  close: async () => {},
};
