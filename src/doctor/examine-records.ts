import { typed } from '../plan/typed.ts';
import type { Checkup } from './checkup.ts';
import { explained, type Finding, repairable } from './finding.ts';

/** The journal and the tree by themselves. */
export function examineRecords({ facts, open, statusOf }: Checkup): Finding[] {
  const { domain, snapshots } = facts;
  const names = new Set(snapshots.map(({ name }) => name));
  const findings: Finding[] = [];
  if (open) {
    const what = `${domain.name} has the operation ${open.id} (${open.caseId}), which has not come to its end`;
    const meaning =
      open.status === 'needsAttention'
        ? 'It waits for a person: something was in its way, or an effect is in doubt.'
        : 'Whoever began it is gone. It holds the domain until it is done or taken back.';
    const told = { code: 'open-operation', domain: domain.name, what, meaning };
    const repair = { kind: 'recover' as const, operation: open.id };
    findings.push(repairable(told, repair, { proven: true }));
  }
  for (const { name, state, parent, operation } of snapshots) {
    const told = { domain: domain.name, hint: typed('delete', domain.name, name) };
    const status = statusOf(operation);
    const owned = open !== null && (state === 'dissolving' || operation === open.id);
    if (state === 'dissolving' && !owned) {
      findings.push(
        explained({
          ...told,
          code: 'dissolving-snapshot',
          what: `${name} is marked as being deleted, but no operation deletes it`,
          meaning: 'Nobody can revert to it: its image may be half merged. The others are whole.',
          hint: `${told.hint} deletes it to the end`,
        }),
      );
    }
    if (state === 'creating' && !owned && status !== 'open' && status !== 'needsAttention') {
      findings.push(
        explained({
          ...told,
          code: 'unfinished-snapshot',
          what: `${name} is marked as being made, but no operation makes it`,
          meaning: 'It is not usable, and only takes its name up.',
          hint: `${told.hint} takes it out of the tree`,
        }),
      );
    }
    if (parent !== null && !names.has(parent)) {
      findings.push(
        explained({
          code: 'lost-parent',
          domain: domain.name,
          what: `the parent of ${name}, ${parent}, is not in the tree`,
          meaning: 'The tree is shown without it; contents do not depend on it.',
          hint: `${typed('log', domain.name)} shows what became of ${parent}`,
        }),
      );
    }
  }
  if (domain.current !== null && !names.has(domain.current)) {
    findings.push(
      explained({
        code: 'lost-parent',
        domain: domain.name,
        what: `${domain.name} descends from ${domain.current}, which is not in the tree`,
        meaning: 'Its heads do not depend on it.',
        hint: `${typed('log', domain.name)} shows what became of ${domain.current}`,
      }),
    );
  }
  return findings;
}
