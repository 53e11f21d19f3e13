import { Argument, Command, Option } from '@commander-js/extra-typings';
import {
  callOf,
  connectOption,
  diskOption,
  examples,
  lvmSizeOption,
  reasonOption,
  waitOption,
} from './options.ts';

const domainArgument = () => new Argument('<domain>', 'name of the domain');
const snapshotArgument = () => new Argument('<snapshot>', 'name of the snapshot');

/** `create` with its options, for running and for planning. */
const createOptions = () =>
  new Command('create')
    .addArgument(domainArgument())
    .argument('[name]', 'name of the new snapshot (default: generated from the time)')
    .addOption(
      new Option('--memory <how>', 'save the memory (default: live if the domain runs)').choices([
        'live',
        'paused',
        'none',
      ] as const),
    )
    .addOption(
      new Option('--disks <mode>', 'how disks are taken (default: auto)').choices([
        'auto',
        'internal',
        'external',
      ] as const),
    )
    .addOption(diskOption())
    .addOption(
      new Option(
        '--quiesce <how>',
        'freeze the guest for a disk-only snapshot (default: try)',
      ).choices(['require', 'try', 'no'] as const),
    )
    .addOption(lvmSizeOption())
    .option('--description <text>', 'what the snapshot is for')
    .addOption(connectOption());

const revertOptions = () =>
  new Command('revert')
    .addArgument(domainArgument())
    .addArgument(snapshotArgument())
    .addOption(new Option('--run', 'the domain runs afterwards').conflicts(['paused', 'off']))
    .addOption(new Option('--paused', 'it stands still afterwards').conflicts(['run', 'off']))
    .addOption(new Option('--off', 'it is off afterwards').conflicts(['run', 'paused']))
    .addOption(lvmSizeOption())
    .addOption(connectOption());

const deleteOptions = () =>
  new Command('delete')
    .addArgument(domainArgument())
    .addArgument(snapshotArgument())
    .addOption(new Option('--children', 'it and everything below it').conflicts(['childrenOnly']))
    .addOption(
      new Option('--children-only', 'everything below it, not itself').conflicts(['children']),
    )
    .addOption(connectOption());

/** `domsnap create`. */
export const createCommand = () =>
  createOptions()
    .description('take a snapshot: a checkpoint with memory if the domain runs, else its disks')
    .addOption(waitOption())
    .addOption(reasonOption())
    .addHelpText(
      'after',
      examples(
        ['domsnap create web1', 'a checkpoint, or disk-only if web1 is off; the name is generated'],
        ['domsnap create web1 pre-upgrade --reason CHG-1042', 'named, with a reason in the audit'],
        ['domsnap create web1 nightly --memory none', 'disks only, the guest frozen for a moment'],
        ['domsnap create web1 s1 --disk vda=external --disk vdb=none', 'each disk in its own way'],
        ['domsnap create web1 s1 --lvm-size 20%', 'logical volumes: room for a fifth to change'],
      ),
    )
    .action(async (domain, name, options, command) => {
      const { create } = await import('./create.ts');
      process.exitCode = await create(callOf(command), domain, name, options);
    });

/** `domsnap revert`. */
export const revertCommand = () =>
  revertOptions()
    .description('put a domain back to a snapshot; what its disks hold now stays as a branch')
    .addOption(
      new Option(
        '--safety <what>',
        'keep memory, too, for undo: a checkpoint is taken first (default: none)',
      ).choices(['none', 'checkpoint'] as const),
    )
    .addOption(waitOption())
    .addOption(reasonOption())
    .addHelpText(
      'after',
      examples(
        [
          'domsnap revert web1 pre-upgrade',
          'disks and, of a checkpoint, memory: it goes on from there',
        ],
        ['domsnap revert web1 pre-upgrade --off', 'disks only; web1 is off afterwards'],
        ['domsnap revert web1 nightly --paused', 'look before it runs'],
        ['domsnap revert web1 nightly --safety checkpoint', '`undo` then brings memory back, too'],
      ),
    )
    .action(async (domain, snapshot, options, command) => {
      const { revert } = await import('./revert.ts');
      process.exitCode = await revert(callOf(command), domain, snapshot, options);
    });

/** `domsnap undo`. */
export const undoCommand = () =>
  new Command('undo')
    .description('take the last revert back; what the disks have held since stays as a branch')
    .addArgument(domainArgument())
    .addOption(new Option('--run', 'the domain runs afterwards').conflicts(['paused', 'off']))
    .addOption(new Option('--paused', 'it stands still afterwards').conflicts(['run', 'off']))
    .addOption(new Option('--off', 'it is off afterwards').conflicts(['run', 'paused']))
    .addOption(connectOption())
    .addOption(waitOption())
    .addOption(reasonOption())
    .addHelpText(
      'after',
      examples(
        ['domsnap undo web1', 'its disks, and how it ran, as before the revert'],
        ['domsnap undo web1 --off', 'the disks alone; web1 is off afterwards'],
      ),
    )
    .action(async (domain, options, command) => {
      const { undo } = await import('./undo.ts');
      process.exitCode = await undo(callOf(command), domain, options);
    });

/** `domsnap delete`. */
export const deleteCommand = () =>
  deleteOptions()
    .description('delete a snapshot; the others, and the running disks, keep their content')
    .addOption(waitOption())
    .addOption(reasonOption())
    .addHelpText(
      'after',
      examples(
        ['domsnap delete web1 nightly', 'that one; its data is merged where others need it'],
        ['domsnap delete web1 try-1 --children', 'it and everything that was made from it'],
        ['domsnap delete web1 base --children-only', 'everything below it'],
      ),
    )
    .action(async (domain, snapshot, options, command) => {
      const { deleteSnapshot } = await import('./delete.ts');
      process.exitCode = await deleteSnapshot(callOf(command), domain, snapshot, options);
    });

/** `domsnap plan create|revert|delete`. */
export const planCommand = () =>
  new Command('plan')
    .description('show what a command would do, step by step, or why it would be refused')
    .addCommand(planCreate())
    .addCommand(planRevert())
    .addCommand(planDelete())
    .addHelpText(
      'after',
      examples(
        ['domsnap plan create web1', 'case, steps, exact commands, space; touches nothing'],
        ['domsnap plan delete web1 base', 'which way the data would be merged, and why'],
      ),
    );

const planCreate = () =>
  createOptions()
    .description('what `create` would do')
    .addHelpText(
      'after',
      examples(['domsnap plan create web1 s1 --memory paused', 'exit 0: it would run; 3: not']),
    )
    .action(async (domain, name, options, command) => {
      const { createRequest } = await import('./create.ts');
      const { plan } = await import('./plan.ts');
      process.exitCode = await plan(callOf(command), createRequest(domain, name, options));
    });

const planRevert = () =>
  revertOptions()
    .description('what `revert` would do')
    .addHelpText('after', examples(['domsnap plan revert web1 s1', 'exit 0: it would run; 3: not']))
    .action(async (domain, snapshot, options, command) => {
      const { revertRequest } = await import('./revert.ts');
      const { plan } = await import('./plan.ts');
      process.exitCode = await plan(callOf(command), revertRequest(domain, snapshot, options));
    });

const planDelete = () =>
  deleteOptions()
    .description('what `delete` would do')
    .addHelpText(
      'after',
      examples(['domsnap plan delete web1 s1 --children', 'exit 0: it would run; 3: not']),
    )
    .action(async (domain, snapshot, options, command) => {
      const { deleteRequest } = await import('./delete.ts');
      const { plan } = await import('./plan.ts');
      process.exitCode = await plan(callOf(command), deleteRequest(domain, snapshot, options));
    });
