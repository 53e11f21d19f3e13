import type { Command } from 'commander';

/** The options of every command: those of the program, and not of a command that has others below it. */
export function globalOptions(command: Command): Command['options'][number][] {
  let root = command;
  while (root.parent) root = root.parent;
  return root === command ? [] : root.options.filter(({ hidden }) => !hidden);
}
