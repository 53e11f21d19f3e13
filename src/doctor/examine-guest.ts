import { OPERATION_ID } from '../engine/system-clock.ts';
import { typed } from '../plan/typed.ts';
import type { Checkup } from './checkup.ts';
import { explained, type Finding, repairable } from './finding.ts';

/** How the guest stands, where no operation holds it, and the jobs of its process. */
export function examineGuest(checkup: Checkup): Finding[] {
  const { facts, silent, open } = checkup;
  const { name } = facts.domain;
  if (silent !== null) {
    return [
      explained({
        code: 'no-answer',
        domain: name,
        what: `${name} does not say how it stands: ${silent}`,
        meaning: 'Nothing about the running guest could be looked at; images and records were.',
        hint: `${typed('domain', 'show', name)} asks again; see that nobody else uses its monitor`,
      }),
    ];
  }
  // What an open operation has begun belongs to it: its recovery sees to that.
  if (open) return [];
  return [...paused(checkup), ...frozen(checkup), ...unsettled(checkup), ...jobs(checkup)];
}

function paused({ facts, last }: Checkup): Finding[] {
  const { domain, view } = facts;
  if (view.runState !== 'paused') return [];
  const told = {
    code: 'paused-guest',
    domain: domain.name,
    what: `${domain.name} stands still (${view.rawState}), and no operation is under way`,
  };
  if (last?.runAfter === 'paused' && !last.leftStanding) {
    const meaning = `The operation ${last.id} (${last.caseId}) has left it so, as was asked.`;
    const finding = repairable({ ...told, meaning }, { kind: 'resume' }, { proven: false });
    return [{ ...finding, severity: 'advice' }];
  }
  const proven = last?.leftStanding === true;
  const meaning = proven
    ? `The records of the operation ${last.id} (${last.caseId}) say that it stopped the guest and never let it run again.`
    : 'The guest does no work. domsnap has not stopped it, so it does not guess whether its user has.';
  return [repairable({ ...told, meaning }, { kind: 'resume' }, { proven })];
}

function frozen({ facts, frozen: isFrozen, last }: Checkup): Finding[] {
  if (isFrozen !== true) return [];
  const { name } = facts.domain;
  const proven = last?.leftFrozen === true;
  const meaning = proven
    ? `The records of the operation ${last.id} (${last.caseId}) say that it froze them and never thawed them.`
    : 'Whatever writes in the guest waits. domsnap has not frozen them: a backup tool may be at work.';
  const what = `the file systems of ${name} are frozen, and no operation is under way`;
  const told = { code: 'frozen-guest', domain: name, what, meaning };
  return [repairable(told, { kind: 'thaw' }, { proven })];
}

function unsettled({ facts: { domain, view } }: Checkup): Finding[] {
  if (view.runState !== 'other') return [];
  const ioError = view.rawState.startsWith('io-error');
  return [
    explained({
      code: 'unsettled',
      domain: domain.name,
      what: `${domain.name} is in the state ${view.rawState}`,
      meaning: ioError
        ? 'QEMU stopped the guest because a disk could not be written, mostly for want of space.'
        : view.wayOut
          ? 'Nothing can be begun, and this does not end by itself.'
          : 'Something else is going on in its process, such as a migration; nothing can be begun.',
      hint: ioError
        ? 'make room on the file systems of its disks, then let it go on: `cont` in its monitor'
        : (view.wayOut ?? 'wait until it runs, is paused or off'),
    }),
  ];
}

const OWN_JOB = new RegExp(`^domsnap-(${OPERATION_ID})-`);

function jobs({ facts: { domain, view }, statusOf }: Checkup): Finding[] {
  return view.jobs.map(({ id, kind, status }) => {
    const what = `${domain.name} has the block job ${id} (${kind}, ${status}), which no open operation owns`;
    const operation = OWN_JOB.exec(id)?.[1];
    const owner = operation === undefined ? null : statusOf(operation);
    const told = { code: 'left-over-job', domain: domain.name, what };
    if (owner !== 'committed' && owner !== 'rolledBack') {
      const meaning = 'Somebody else has begun it; until it ends, nothing else can be.';
      const hint = 'let it end, or cancel it in the monitor';
      return explained({ ...told, code: 'foreign-job', meaning, hint });
    }
    const ended = status === 'concluded' || status === 'null';
    // A stream only reads what it copies from; a commit that is called off leaves its base mixed.
    if (ended || kind === 'stream') {
      const meaning = `Its operation ${operation} has come to its end: nobody will end the job.`;
      return repairable({ ...told, meaning }, { kind: 'jobs', jobs: [id] }, { proven: true });
    }
    const meaning = `Its operation ${operation} has come to its end. Calling it off would leave its base half written.`;
    const hint = 'let it end: it waits for space or for its switch-over; then look again';
    return explained({ ...told, meaning, hint });
  });
}
