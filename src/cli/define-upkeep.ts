import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { callOf, examples, reasonOption, waitOption } from './options.ts';

/** `domsnap doctor`. */
export const doctorCommand = () =>
  new Command('doctor')
    .description('compare journal, tree, images and the running guest; explain what is wrong')
    .argument('[domain]', 'name of the domain (default: all, and the host)')
    .option('--fix', 'run the repairs that are proven to be right')
    .addOption(
      new Option(
        '--sure <code>',
        'with --fix: run this one, too, which only you can know to be right (repeatable)',
      )
        .argParser(vouchedFor)
        .implies({ fix: true }),
    )
    .addOption(waitOption())
    .addOption(reasonOption())
    .addHelpText(
      'after',
      examples(
        ['domsnap doctor', 'exit 0: all is well; 5: something needs attention'],
        ['domsnap doctor web1 --fix', 'and repair what can be, each as an operation in the log'],
        ['domsnap doctor web1 --fix --sure paused-guest', 'let a guest run that somebody paused'],
      ),
    )
    .action(async (domain, options, command) => {
      const { doctor } = await import('./doctor.ts');
      process.exitCode = await doctor(callOf(command), domain, options);
    });

/** `domsnap gc`. */
export const gcCommand = () =>
  new Command('gc')
    .description('remove from the trash for good what is old, never what anything still needs')
    .addOption(
      new Option(
        '--older-than <time>',
        'what has lain there so long: 12h, 30d, 2w (default: 7d)',
      ).argParser(milliseconds),
    )
    .addOption(
      new Option('--max-size <size>', 'the oldest, too, until the rest fits: 500M, 20G').argParser(
        bytesOf,
      ),
    )
    .option('--dry-run', 'only show what would go, and why the rest stays')
    .addOption(waitOption())
    .addOption(reasonOption())
    .addHelpText(
      'after',
      examples(
        ['domsnap gc', 'what has been in the trash for a week'],
        ['domsnap gc --dry-run --older-than 1d', 'what a day would take; removes nothing'],
        ['domsnap gc --max-size 20G', 'leave 20 GiB of trash at most'],
      ),
    )
    .action(async (options, command) => {
      const { gc } = await import('./gc.ts');
      process.exitCode = await gc(callOf(command), options);
    });

/** What only a person can know to be right. */
const VOUCHED: readonly string[] = ['paused-guest', 'frozen-guest', 'stale-head'];

function vouchedFor(code: string, before: readonly string[] = []): string[] {
  if (VOUCHED.includes(code)) return [...before, code];
  throw new InvalidArgumentError(`It is ${VOUCHED.join(', ')}: all else needs no word of yours.`);
}

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

function milliseconds(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  if (unitMs === undefined) throw new InvalidArgumentError('It is a number with s, m, h, d or w.');
  return Number(count) * unitMs;
}

function bytesOf(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,12})([KMGT]?)(?:iB|B)?$/.exec(text) ?? [];
  if (count === '')
    throw new InvalidArgumentError('It is a number of bytes, or one with K, M, G, T.');
  return Number(count) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit);
}
