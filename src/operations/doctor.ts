import type { Domain } from '../catalog/model.ts';
import { examine } from '../doctor/examine.ts';
import { explained, type Finding } from '../doctor/finding.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlannedStep } from '../plan/preview.ts';
import type { Toolstack } from '../toolstacks/port.ts';
import { checkupOf } from './checkup.ts';
import { hostFindings, type Repaired, recoverLost } from './doctor-host.ts';
import { type ImageUse, imageUse } from './image-use.ts';
import { knownDomain } from './known-domain.ts';
import { recoverOperation } from './recover.ts';
import { repairPlan } from './repair.ts';
import { type Report, type RunOptions, runPlan, withToolstack } from './run-request.ts';
import { BusyError, lockDomain, type Session } from './session.ts';

/** What the doctor is to do. */
export interface DoctorRequest {
  /** undefined: all domains, and the host. */
  readonly domain?: string | undefined;
  /** Run the repairs that are proven to be right. */
  readonly fix: boolean;
  /** Codes of findings whose repair a person vouches for. */
  readonly sure: readonly string[];
}

/** A finding, with the steps of the operation that would repair it. */
export interface Told {
  readonly finding: Finding;
  readonly caseId: string | null;
  readonly steps: readonly PlannedStep[];
}

/** What the doctor found, and did. */
export interface Examined {
  readonly domains: readonly string[];
  /** What is so now, after all repairs. */
  readonly findings: readonly Told[];
  readonly repaired: readonly Repaired[];
}

/** Examine a domain, or all and the host. With `fix` each domain is locked, repaired, and looked at again. */
export async function examineHost(
  session: Session,
  request: DoctorRequest,
  options: RunOptions = {},
): Promise<Examined> {
  const { catalog } = session;
  const { domain } = request;
  const domains = domain === undefined ? catalog.domains() : [knownDomain(session, domain)];
  const findings: Told[] = [];
  const repaired: Repaired[] = [];
  const uses = usesOf(session);
  if (request.domain === undefined) {
    if (request.fix) repaired.push(...(await recoverLost(session, options)));
    findings.push(...hostFindings(session).map(plain));
  }
  for (const { name } of domains) {
    const examined = await examineDomain(session, name, request, options, uses);
    findings.push(...examined.findings.filter(told => !findings.some(isSame(told))));
    repaired.push(...examined.repaired);
  }
  return { domains: domains.map(({ name }) => name), findings, repaired };
}

/** Domains that share a folder share what lies in it: a finding of the host is told once. */
const isSame =
  ({ finding: { domain, code, what } }: Told) =>
  ({ finding }: Told): boolean =>
    domain === null && finding.domain === null && finding.code === code && finding.what === what;

const plain = (finding: Finding): Told => ({ finding, caseId: null, steps: [] });

async function examineDomain(
  session: Session,
  name: string,
  request: DoctorRequest,
  options: RunOptions,
  uses: Uses,
): Promise<Omit<Examined, 'domains'>> {
  let lock: Awaited<ReturnType<typeof lockDomain>>;
  try {
    lock = await lockDomain(session, name, options);
  } catch (error) {
    if (!(error instanceof BusyError)) throw error;
    return { findings: [plain(busy(name, error))], repaired: [] };
  }
  const repaired: Repaired[] = [];
  try {
    while (request.fix && repaired.length < REPAIRS_MAX) {
      const done = await repairNext(session, name, request, repaired, options, uses);
      if (!done) break;
      uses.forget();
      repaired.push(done);
    }
    // Whoever only looks keeps nobody waiting.
    if (!request.fix) lock.release();
    const latest = latestOf(session, name);
    const findings = await withToolstack(session, name, async (toolstack, domain) => {
      const { found, view } = await look(session, toolstack, domain, uses);
      return Promise.all(found.map(finding => tell(session, toolstack, domain, finding, view)));
    });
    const begun = latestOf(session, name);
    if (begun && begun.id !== latest?.id) {
      return { findings: [plain(busy(name, new BusyError(name, begun)))], repaired };
    }
    return { findings, repaired };
  } finally {
    if (request.fix) lock.release();
  }
}

/** More than any domain needs; a repair that makes its own next cause would go on for ever. */
const REPAIRS_MAX = 50;

const latestOf = ({ journal }: Session, subject: string) =>
  journal.operations({ subject, limit: 1 })[0];

/** Which files this host needs, asked once for all domains, and again when a repair has changed it. */
interface Uses {
  get(): Promise<ImageUse>;
  forget(): void;
}

function usesOf(session: Session): Uses {
  let use: Promise<ImageUse> | undefined;
  return {
    get() {
      use ??= imageUse(session);
      return use;
    },
    forget() {
      use = undefined;
    },
  };
}

/** Somebody is at work: whatever would be seen now is in between. */
function busy(domain: string, { operation }: BusyError): Finding {
  const what = operation
    ? `the operation ${operation.id} (${operation.caseId}) is under way on ${domain}`
    : `another domsnap is at work on ${domain}`;
  const meaning = 'What it has begun is its own; nothing was looked at.';
  return explained(
    { code: 'at-work', domain, what, meaning, hint: '--wait waits until it is done' },
    'advice',
  );
}

async function look(session: Session, toolstack: Toolstack, domain: Domain, uses: Uses) {
  const checkup = await checkupOf(session, toolstack, domain, await uses.get());
  return { found: examine(checkup), view: checkup.facts.view };
}

async function tell(
  session: Session,
  toolstack: Toolstack,
  domain: Domain,
  finding: Finding,
  view: Parameters<typeof repairPlan>[3],
): Promise<Told> {
  const { repair } = finding;
  if (repair?.kind === 'recover') {
    const caseId = session.journal.operation(repair.operation)?.caseId ?? null;
    return { finding, caseId, steps: [] };
  }
  const plan = repairPlan(session, domain, finding, view);
  if (!plan) return plain(finding);
  const { previewSteps } = await import('../plan/preview.ts');
  const { hostSteps } = await import('../steps/index.ts');
  const steps = previewSteps(plan, hostSteps({ ...session, toolstack }));
  return { finding, caseId: plan.saga.id, steps };
}

/** Run the first repair that may be run and has not been tried. The caller holds the lock. */
async function repairNext(
  session: Session,
  name: string,
  { sure }: DoctorRequest,
  tried: readonly Repaired[],
  options: RunOptions,
  uses: Uses,
): Promise<Repaired | undefined> {
  return withToolstack(session, name, async (toolstack, domain) => {
    const { found, view } = await look(session, toolstack, domain, uses);
    const isNew = ({ code, what }: Finding) =>
      !tried.some(({ finding }) => finding.code === code && finding.what === what);
    const mayRun = ({ repair, proven, code }: Finding) =>
      repair !== null && (proven || sure.includes(code));
    const candidates = found.filter(finding => mayRun(finding) && isNew(finding));
    // What was left open comes first: it may be the cause of all else.
    const open = candidates.find(({ repair }) => repair?.kind === 'recover');
    const finding = open ?? candidates[0];
    if (!finding) return undefined;
    if (finding.repair?.kind === 'recover') {
      const report = await recoverHeld(session, finding.repair.operation, options);
      return report && { finding, report };
    }
    const plan: Plan | undefined = repairPlan(session, domain, finding, view);
    return plan && { finding, report: await runPlan(session, toolstack, plan, options) };
  });
}

/** Recover an operation whose lock this caller holds. */
async function recoverHeld(
  session: Session,
  operation: string,
  options: RunOptions,
): Promise<Report | undefined> {
  const left = session.journal.operation(operation);
  return left && recoverOperation(session, left, options);
}
