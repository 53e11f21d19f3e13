import { Command } from '@commander-js/extra-typings';
import packageFile from '../../package.json' with { type: 'json' };
import { completeCommand, completionCommand } from './define-completion.ts';
import { domainCommand, labCommand } from './define-domains.ts';
import {
  casesCommand,
  exportCommand,
  graphCommand,
  importCommand,
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
import { globalOptions } from './global-options.ts';
import { examples } from './options.ts';

const EXITS = `
Exit codes:
  0 done   2 bad usage or input   3 refused, nothing touched   4 failed and rolled back
  5 needs attention   6 busy   7 done, but its output could not be written   1 a bug`;

/** Asked by the completion scripts alone. */
const COMPLETE = '__complete';

/** All commands, as the help groups them. */
const COMMANDS: Readonly<Record<string, Readonly<Record<string, () => object>>>> = {
  'Snapshots:': {
    create: createCommand,
    revert: revertCommand,
    undo: undoCommand,
    delete: deleteCommand,
    list: listCommand,
    show: showCommand,
    plan: planCommand,
    export: exportCommand,
    import: importCommand,
  },
  'Domains:': {
    domain: domainCommand,
    lab: labCommand,
  },
  'After a crash, and the audit:': {
    recover: recoverCommand,
    doctor: doctorCommand,
    gc: gcCommand,
    log: logCommand,
  },
  'How it works:': {
    cases: casesCommand,
    graph: graphCommand,
    completion: completionCommand,
    [COMPLETE]: completeCommand,
  },
};

/**
 * All commands, defined; what they do is loaded when one of them runs. Where the first word of the
 * command line is the name of one, that one alone: to define all of them takes 10 ms of each start.
 */
export function makeProgram(firstWord?: string): Command {
  const program: Command = new Command('domsnap')
    .description('Crash-safe snapshots of virtual machines: done, or as before, never half.')
    .version(packageFile.version, '-V, --version', 'print the version')
    .option('--json', 'JSON on stdout, for programs')
    .option(
      '--home <dir>',
      'where the journal and the catalog are (env DOMSNAP_HOME; default: /var/lib/domsnap for root, else ~/.local/state/domsnap, by XDG_STATE_HOME)',
    )
    .option('--log-file <file>', 'write a log of every step and call (JSON lines)')
    .option('--verbose', 'the same on stderr, in detail')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        ['domsnap domain add web1.yaml', 'take a domain in'],
        ['domsnap create web1 pre-upgrade', 'a checkpoint of the running guest'],
        ['domsnap list web1', 'its tree of snapshots'],
        ['domsnap revert web1 pre-upgrade', 'back to it, memory and all'],
      ),
    )
    .addHelpText('after', EXITS) as unknown as Command;
  const named = Object.values(COMMANDS).some(group => firstWord && Object.hasOwn(group, firstWord));
  for (const [heading, group] of Object.entries(COMMANDS)) {
    program.commandsGroup(heading);
    for (const [name, define] of Object.entries(group)) {
      if (named && name !== firstWord) continue;
      program.addCommand(define() as Command, { hidden: name === COMPLETE });
    }
  }
  settle(program);
  return program;
}

/** Errors come out as exceptions; help tells the options of every command, too. */
function settle(command: Command): void {
  command
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: of => globalOptions(of as never) as never,
    })
    .configureOutput({ outputError() {}, getErrHelpWidth: () => process.stderr.columns ?? 100 })
    .helpOption('-h, --help', 'print help')
    .helpCommand(false);
  for (const sub of command.commands) settle(sub as Command);
}
