import { EXIT } from './exit-codes.ts';
import { say } from './output.ts';
import { lossOn, readerWentAway } from './patient-writer.ts';
import { makeProgram } from './program.ts';

/**
 * Run one command line to its end and leave with its exit code.
 * A reader of our output that has gone away (`| head`) is no failure, and must not end an operation.
 * Output that is lost for another reason ends no operation either; it is told when all is done.
 */
export async function runCommandLine(argv: readonly string[]): Promise<never> {
  let lost: Error | undefined;
  process.stdout.on('error', error => {
    if (!readerWentAway(error, 1)) lost ??= error;
  });
  // Of messages that cannot be written nobody can be told.
  process.stderr.on('error', () => {});
  try {
    await makeProgram(argv[2]).parseAsync([...argv]);
  } catch (error) {
    process.exitCode = await exitCodeOf(error, argv);
  }
  await Promise.all([process.stdout, process.stderr].map(written));
  lost ??= lossOn(1);
  if (lost) {
    tellLost(lost);
    await written(process.stderr);
  }
  // Sockets of a domain that hangs must not keep a command from ending that has told its result.
  process.exit();
}

/** The outcome of an operation is what it is: only one that went well gets another exit code. */
function tellLost({ message }: Error): void {
  say(`domsnap: the output could not be written: ${message}`);
  if (process.exitCode) return;
  say('What was to be done is done; only what there was to say of it is lost.');
  process.exitCode = EXIT.unwritten;
}

/** A pipe takes 64 KiB at a time: what its reader has not taken yet would be lost with the process. */
const written = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise(resolve => {
    // An error is told to the stream's listeners behind this.
    stream.write('', () => setImmediate(resolve));
  });

async function exitCodeOf(error: unknown, argv: readonly string[]): Promise<number> {
  const { code } = error as { code?: unknown };
  if (code === 'commander.helpDisplayed' || code === 'commander.version') return EXIT.done;
  // Called without a subcommand: its help has been shown on stderr.
  if (code === 'commander.help') return EXIT.usage;
  const { failureOf, tellFailure } = await import('./failure.ts');
  return tellFailure(failureOf(error), wantsJson(argv));
}

/** Asked of the words themselves: a command line that cannot be parsed has no options. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(2, end < 0 ? undefined : end).includes('--json');
}
