import { typed } from '../plan/typed.ts';
import type { Checkup, StrayFile } from './checkup.ts';
import { explained, type Finding, repairable } from './finding.ts';

/** Files that domsnap has made, by their names, and that no record owns. */
export function examineFiles({ facts, strays }: Checkup): Finding[] {
  const { name } = facts.domain;
  const orphans = strays.filter(isOrphan);
  const found: Finding[] = strays.filter(stray => !isOrphan(stray)).map(stray => left(name, stray));
  if (orphans.length === 0) return found;
  const paths = orphans.map(({ path }) => path);
  const told = {
    code: 'orphan-files',
    domain: name,
    what: `nothing owns ${paths.join(', ')}`,
    meaning:
      'Operations that were taken back have left them. No record, no image and no process needs them; they only take up space.',
  };
  return [...found, repairable(told, { kind: 'orphans', paths }, { proven: true })];
}

/**
 * What an operation made that was taken back is of no use to anybody. What one made that was done may
 * hold the only copy of something, if a disk or a domain was forgotten since.
 */
const isOrphan = ({ status, neededBy, path }: StrayFile): boolean =>
  neededBy === null &&
  (status === 'rolledBack' || (status === 'committed' && path.endsWith('.domsnap-draft')));

function left(domain: string, { path, operation, status, neededBy }: StrayFile): Finding {
  const told = { domain, what: `no record owns ${path}` };
  if (status === null) return foreign(told.what, operation, neededBy);
  if (neededBy !== null) {
    return explained({
      ...told,
      code: 'used-orphan',
      meaning: `It comes from the operation ${operation}, and ${neededBy} needs it.`,
      hint: 'leave it where it is',
    });
  }
  return explained({
    ...told,
    code: 'unowned-file',
    meaning: `The operation ${operation} made it and was done. It may hold the only copy of a disk that was forgotten since.`,
    hint: `${typed('log', '--operation', operation)} shows what it was; keep it until you know`,
  });
}

/** What another home of domsnap has made is no fault of this one, and of no domain of it. */
function foreign(what: string, operation: string, neededBy: string | null): Finding {
  const needed = neededBy === null ? '' : ` ${neededBy} needs it.`;
  return explained(
    {
      code: 'unknown-file',
      domain: null,
      what,
      meaning: `It bears the id ${operation}, which this journal does not know: another home of domsnap may own it.${needed}`,
      hint: neededBy
        ? 'leave it where it is'
        : 'look for it with the other --home before you remove it',
    },
    'advice',
  );
}
