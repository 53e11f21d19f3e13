import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { globalOptions } from './global-options.ts';

/**
 * What the last of `words` may become: commands, options, values of options, names of domains and of
 * snapshots. Reads the catalog where it is; makes none.
 */
export async function complete(
  program: unknown,
  words: readonly string[],
  home: string,
): Promise<string[]> {
  const last = words.at(-1) ?? '';
  const { command, operands, pending } = walk(program as Command, words.slice(0, -1));
  const found = await candidates(command, operands, pending, last, home);
  return found.filter(word => word.startsWith(last));
}

interface Place {
  readonly command: Command;
  readonly operands: readonly string[];
  /** The option that still wants its value. */
  readonly pending: Command['options'][number] | undefined;
}

function walk(program: Command, words: readonly string[]): Place {
  let command = program;
  let operands: string[] = [];
  let pending: Place['pending'];
  for (const word of words) {
    if (pending) {
      pending = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      const option = optionsOf(command).find(({ long, short }) => word === long || word === short);
      if (option?.required) pending = option;
      continue;
    }
    const sub = operands.length === 0 && command.commands.find(other => other.name() === word);
    if (sub) command = sub;
    else operands = [...operands, word];
  }
  return { command, operands, pending };
}

async function candidates(
  command: Command,
  operands: readonly string[],
  pending: Place['pending'],
  last: string,
  home: string,
): Promise<readonly string[]> {
  if (pending) {
    const known = pending.long === '--operation' ? names('operation', operands, home, 'all') : [];
    return pending.argChoices ?? (await known);
  }
  if (last.startsWith('-')) {
    return [
      '--help',
      ...optionsOf(command).flatMap(({ long, hidden }) => (long && !hidden ? long : [])),
    ];
  }
  const subcommands = operands.length === 0 ? command.commands.map(other => other.name()) : [];
  const argument = command.registeredArguments[operands.length];
  const values = argument?.argChoices ?? (await names(argument?.name(), operands, home));
  return [...subcommands.filter(name => name !== '__complete'), ...values];
}

/** A command's own options, and those of every command. */
function optionsOf(command: Command): Command['options'][number][] {
  return [...command.options, ...globalOptions(command)];
}

/** The newest operations: nobody looks for an older one by its first letters. */
const OFFERED_MAX = 50;

async function names(
  argument: string | undefined,
  operands: readonly string[],
  home: string,
  which: 'open' | 'all' = 'open',
): Promise<readonly string[]> {
  if (argument === 'case') {
    const { MACHINES } = await import('../../machines/index.ts');
    return [...MACHINES.keys()];
  }
  // The new snapshot of `create` has a name that nobody has yet.
  const wanted = argument === 'domain' || argument === 'snapshot' || argument === 'operation';
  if (!wanted || !existsSync(join(home, 'domsnap.db'))) return [];
  const { openDatabase } = await import('../journal/database.ts');
  const { sqliteCatalog } = await import('../journal/catalog.ts');
  const database = openDatabase(home, 'read');
  try {
    const catalog = sqliteCatalog(database);
    if (argument === 'operation') {
      const { sqliteJournal } = await import('../journal/sqlite.ts');
      const status = which === 'open' ? (['open', 'needsAttention'] as const) : undefined;
      const journal = sqliteJournal(database, catalog);
      return journal
        .operations({ ...(status ? { status } : {}), limit: OFFERED_MAX })
        .map(({ id }) => id);
    }
    if (argument === 'domain') return catalog.domains().map(({ name }) => name);
    return catalog.snapshots(operands[0] ?? '').map(({ name }) => name);
  } finally {
    database.close();
  }
}
