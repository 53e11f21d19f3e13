import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { Command } from '@commander-js/extra-typings';
import { completeCommand, completionCommand } from './define-completion.ts';
import { domainCommand, labCommand } from './define-domains.ts';
import {
  casesCommand,
  graphCommand,
  listCommand,
  logCommand,
  recoverCommand,
  showCommand,
} from './define-reading.ts';
import {
  createCommand,
  deleteCommand,
  planCommand,
  revertCommand,
  undoCommand,
} from './define-snapshots.ts';
import { doctorCommand, gcCommand } from './define-upkeep.ts';
import { examples } from './options.ts';

const EXITS = `
Exit codes:
  0 done   2 bad usage or input   3 refused, nothing touched   4 failed and rolled back
  5 needs attention   6 busy   1 a bug in domsnap`;

/** All commands, defined; what they do is loaded when one of them runs. */
export function makeProgram() {
  const program = new Command('domsnap')
    .description('Crash-safe snapshots of virtual machines: done, or as before, never half.')
    .version(version(), '-V, --version', 'print the version')
    .option('--json', 'JSON on stdout, for programs')
    .option('--home <dir>', 'where the journal and the catalog are (env DOMSNAP_HOME)')
    .option('--log-file <file>', 'write a log of every step and call (JSON lines)')
    .option('--verbose', 'the same on stderr, in detail')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .commandsGroup('Snapshots:')
    .addCommand(createCommand())
    .addCommand(revertCommand())
    .addCommand(undoCommand())
    .addCommand(deleteCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(planCommand())
    .commandsGroup('Domains:')
    .addCommand(domainCommand())
    .addCommand(labCommand())
    .commandsGroup('After a crash, and the audit:')
    .addCommand(recoverCommand())
    .addCommand(doctorCommand())
    .addCommand(gcCommand())
    .addCommand(logCommand())
    .commandsGroup('How it works:')
    .addCommand(casesCommand())
    .addCommand(graphCommand())
    .addCommand(completionCommand())
    .addCommand(completeCommand(), { hidden: true })
    .addHelpText(
      'after',
      examples(
        ['domsnap domain add web1.yaml', 'take a domain in'],
        ['domsnap create web1 pre-upgrade', 'a checkpoint of the running guest'],
        ['domsnap list web1', 'its tree of snapshots'],
        ['domsnap revert web1 pre-upgrade', 'back to it, memory and all'],
      ),
    )
    .addHelpText('after', EXITS);
  settle(program as unknown as Command);
  return program;
}

/** Errors come out as exceptions; help tells the options of every command, too. */
function settle(command: Command): void {
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError() {}, getErrHelpWidth: () => process.stderr.columns ?? 100 })
    .helpOption('-h, --help', 'print help')
    .helpCommand(false);
  for (const sub of command.commands) settle(sub as unknown as Command);
}

/** From the package that this file belongs to, built or not. */
function version(): string {
  const path = findPackageJSON('..', import.meta.url);
  if (!path) return 'unknown';
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
