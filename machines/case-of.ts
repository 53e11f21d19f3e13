import { CATALOGUE } from './index.ts';
import type { Saga } from './saga.ts';

/** How a snapshot, or what is asked of it, holds its disks: external as soon as one disk is. */
export const DISKS = ['internal', 'external', 'none'] as const;
/** What happens to memory in a create, and how. */
export const MEMORY = ['none', 'background', 'precopy', 'paused'] as const;
/** How much of the tree a delete takes. */
export const EXTENT = ['one', 'children', 'children-only'] as const;
/** Where in the tree a snapshot stands: without parent and children, or in a chain. */
export const PLACE = ['standalone', 'chain'] as const;

/** The conditions under which an operation meets a domain. */
export type Conditions =
  | {
      readonly operation: 'create';
      readonly live: boolean;
      readonly memory: (typeof MEMORY)[number];
      readonly disks: (typeof DISKS)[number];
    }
  | {
      readonly operation: 'revert';
      readonly live: boolean;
      readonly memory: boolean;
      readonly disks: (typeof DISKS)[number];
    }
  | {
      readonly operation: 'delete';
      readonly live: boolean;
      readonly extent: (typeof EXTENT)[number];
      readonly place: (typeof PLACE)[number];
      readonly disks: (typeof DISKS)[number];
    };

/** The case of a set of conditions, or why there is none. */
export type CaseOf = { readonly saga: Saga } | { readonly refusal: string };

/** Total: every combination of conditions is a case or a refusal with its reason. */
export function caseOf(conditions: Conditions): CaseOf {
  const reason = refusalOf(conditions);
  if (reason !== undefined) return { refusal: reason };
  const saga = CATALOGUE.get(idOf(conditions));
  if (!saga) throw new Error(`no machine for ${JSON.stringify(conditions)}`);
  return { saga };
}

function refusalOf(conditions: Conditions): string | undefined {
  switch (conditions.operation) {
    case 'create':
      if (conditions.disks === 'none') return 'a snapshot needs at least one disk';
      if (!conditions.live && conditions.memory !== 'none') {
        return 'a domain that is off has no memory to save';
      }
      return undefined;
    case 'revert':
      if (conditions.disks === 'none') return 'the snapshot holds none of the domain’s disks';
      return undefined;
    case 'delete':
      if (conditions.extent === 'children-only' && conditions.place === 'standalone') {
        return 'the snapshot has no children';
      }
      return undefined;
  }
}

function idOf(conditions: Conditions): string {
  const { operation, live } = conditions;
  const state = live ? 'live' : 'offline';
  // A snapshot of no disk at all is deleted like an internal one: no image moves.
  const disks = conditions.disks === 'none' ? 'internal' : conditions.disks;
  switch (conditions.operation) {
    case 'create': {
      const memory = conditions.memory === 'none' ? 'disk-only' : conditions.memory;
      return [operation, state, memory, disks].join('.');
    }
    case 'revert':
      return [operation, state, conditions.memory ? 'memory' : 'disk-only', disks].join('.');
    case 'delete': {
      const family = conditions.extent === 'one' ? 'chain' : 'children';
      const place = conditions.place === 'standalone' ? 'standalone' : family;
      return [operation, state, place, disks].join('.');
    }
  }
}
