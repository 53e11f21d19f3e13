import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { completionScript } from '../../src/cli/completion-scripts.ts';
import { makeProgram } from '../../src/cli/program.ts';
import { place, placeWithDomain } from './domsnap.ts';

const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
const COMMANDS = all(makeProgram() as unknown as Command)
  .filter(command => command.name() !== '__complete')
  .map(command => ({ command, path: pathOf(command) }));

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: part => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

test.each(COMMANDS)(
  '$path --help describes it, with examples that are its own',
  ({ command, path }) => {
    const help = helpOf(command);
    expect(command.description()).not.toBe('');
    const examples = help
      .split('Examples:\n')[1]
      ?.split('\n\n')[0]
      ?.split('\n')
      .filter(line => line.startsWith('  '));
    expect(examples?.length).toBeGreaterThan(0);
    if (path !== 'domsnap completion') {
      for (const line of examples ?? []) expect(line).toContain(path);
    }
    for (const { long, description } of command.options) expect(description, long).not.toBe('');
  },
);

test('what is not built is not advertised', () => {
  const help = COMMANDS.map(({ command }) => helpOf(command)).join('\n');
  expect(help).not.toMatch(/--xen|__complete/);
});

test('--version tells the version of the package', async () => {
  const { exit, stdout } = await place().run(['--version']);
  expect(exit).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('words are completed: commands, options, values, domains, snapshots', async () => {
  const here = await placeWithDomain();
  await here.run(['create', 'web1', 'first']);
  const complete = async (...words: string[]) =>
    (await here.run(['__complete', '--', ...words])).stdout.split('\n').filter(Boolean);
  expect(await complete('re')).toEqual(['revert', 'recover']);
  expect(await complete('domain', 'st')).toEqual(['start', 'stop']);
  expect(await complete('revert', '')).toEqual(['web1']);
  expect(await complete('revert', 'web1', '')).toEqual(['first']);
  expect(await complete('create', 'web1', '--me')).toEqual(['--memory']);
  expect(await complete('create', 'web1', '--memory', '')).toEqual(['live', 'paused', 'none']);
  expect(await complete('graph', 'create.offline')).toEqual([
    'create.offline.disk-only.external',
    'create.offline.disk-only.internal',
  ]);
});

test.each(['bash', 'zsh', 'fish'] as const)(
  'the completion script for %s is one that it reads',
  shell => {
    const script = completionScript(shell);
    expect(script).toContain('domsnap __complete --');
    const { error, status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    // A shell that is not installed cannot be asked.
    if (!error) expect(status, stderr).toBe(0);
  },
);
