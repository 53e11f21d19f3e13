import { Argument, Command } from '@commander-js/extra-typings';
import { callOf, examples } from './options.ts';

/** `domsnap completion bash|zsh|fish`. */
export const completionCommand = () =>
  new Command('completion')
    .description('print a script that completes commands, options and names')
    .addArgument(new Argument('<shell>', 'your shell').choices(['bash', 'zsh', 'fish'] as const))
    .addHelpText(
      'after',
      examples(
        ['source <(domsnap completion bash)', 'in ~/.bashrc'],
        ['source <(domsnap completion zsh)', 'in ~/.zshrc'],
        ['domsnap completion fish | source', 'in config.fish'],
      ),
    )
    .action(async shell => {
      const { completionScript } = await import('./completion-scripts.ts');
      process.stdout.write(completionScript(shell));
    });

/** What the scripts ask: the words so far, of which the last is to be completed. */
export const completeCommand = () =>
  new Command('__complete')
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (words, _options, command) => {
      const { complete } = await import('./complete.ts');
      const { makeProgram } = await import('./program.ts');
      const { home } = callOf(command);
      const found = complete(makeProgram(), words, home);
      process.stdout.write((await found).map(word => `${word}\n`).join(''));
    });
