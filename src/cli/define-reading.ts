import { Command, Option } from '@commander-js/extra-typings';
import { callOf, connectOption, examples, reasonOption, waitOption } from './options.ts';

/** `domsnap list`. */
export const listCommand = () =>
  new Command('list')
    .description('all domains, or the tree of snapshots of one')
    .argument('[domain]', 'name of the domain')
    .option('--tree', 'the trees of all domains, where none is named')
    .addOption(connectOption())
    .addHelpText(
      'after',
      examples(
        ['domsnap list', 'every domain, and where it is'],
        ['domsnap list web1', 'its tree, with age, consistency and sizes'],
        ['domsnap list web1 --json | jq .snapshots[].name', 'for programs'],
      ),
    )
    .action(async (domain, options, command) => {
      const { list } = await import('./list.ts');
      process.exitCode = await list(callOf(command), domain, options);
    });

/** `domsnap show`. */
export const showCommand = () =>
  new Command('show')
    .description('everything about one snapshot')
    .argument('<domain>', 'name of the domain')
    .argument('<snapshot>', 'name of the snapshot')
    .addOption(connectOption())
    .addHelpText(
      'after',
      examples(['domsnap show web1 nightly', 'images, memory, who made it, and why']),
    )
    .action(async (domain, snapshot, _options, command) => {
      const { show } = await import('./show.ts');
      process.exitCode = await show(callOf(command), domain, snapshot);
    });

/** `domsnap export`. */
export const exportCommand = () =>
  new Command('export')
    .description("a snapshot of a libvirt domain as libvirt's XML (domainsnapshot)")
    .argument('<domain>', 'name of the domain')
    .argument('<snapshot>', 'name of the snapshot')
    .addOption(connectOption())
    .addHelpText(
      'after',
      examples(['domsnap export web1 nightly > nightly.xml', 'as virsh snapshot-dumpxml has it']),
    )
    .action(async (domain, snapshot, _options, command) => {
      const { exportSnapshot } = await import('./records.ts');
      process.exitCode = await exportSnapshot(callOf(command), domain, snapshot);
    });

/** `domsnap import`. */
export const importCommand = () =>
  new Command('import')
    .description('take a snapshot into the tree of a libvirt domain that such XML describes')
    .argument('<domain>', 'name of the domain')
    .argument('<file>', 'the XML; - for stdin')
    .addOption(connectOption())
    .addOption(waitOption())
    .addHelpText(
      'after',
      examples(['domsnap import web1 nightly.xml', 'its images must be where the XML names them']),
    )
    .action(async (domain, file, options, command) => {
      const { importSnapshot } = await import('./records.ts');
      process.exitCode = await importSnapshot(callOf(command), domain, file, options);
    });

/** `domsnap cases`. */
export const casesCommand = () =>
  new Command('cases')
    .description('the cases that domsnap knows, or the story of one')
    .argument('[case]', 'id of the case')
    .addHelpText(
      'after',
      examples(
        ['domsnap cases', 'all of them'],
        ['domsnap cases create.live.background.external', 'its story and its steps'],
      ),
    )
    .action(async (id, _options, command) => {
      const { cases } = await import('./cases.ts');
      process.exitCode = await cases(callOf(command), id);
    });

/** `domsnap graph`. */
export const graphCommand = () =>
  new Command('graph')
    .description('draw the state machine of a case')
    .argument('<case>', 'id of the case')
    .addOption(
      new Option('--format <format>', 'how to draw it')
        .choices(['mermaid', 'svg', 'json'] as const)
        .default('mermaid' as const),
    )
    .addHelpText(
      'after',
      examples(
        ['domsnap graph delete.live.chain.external --format svg > delete.svg', 'a picture'],
        ['domsnap graph create.offline.disk-only.internal', 'Mermaid, for a page of documentation'],
      ),
    )
    .action(async (id, options, command) => {
      const { graph } = await import('./graph.ts');
      process.exitCode = await graph(callOf(command), id, options);
    });

/** `domsnap recover`. */
export const recoverCommand = () =>
  new Command('recover')
    .description('bring operations that were left open to their end')
    .argument('[operation]', 'id of the operation (default: all that are open)')
    .addOption(waitOption())
    .addOption(reasonOption())
    .addHelpText(
      'after',
      examples(
        ['domsnap recover', 'after a crash of the host; twice does no harm'],
        ['domsnap recover 0mib4k2xq1f3a9c7e', 'one that needed attention, when its cause is gone'],
      ),
    )
    .action(async (id, options, command) => {
      const { recover } = await import('./recover.ts');
      process.exitCode = await recover(callOf(command), id, options);
    });

/** `domsnap log`. */
export const logCommand = () =>
  new Command('log')
    .description('what was done: operations, and every step and call of one')
    .argument('[domain]', 'name of the domain')
    .option('--operation <id>', 'every record of one operation')
    .option('--follow', 'show records as they are written')
    .addHelpText(
      'after',
      examples(
        ['domsnap log web1', 'its operations, newest first'],
        ['domsnap log --operation 0mib4k2xq1f3a9c7e', 'each step, and each call of a tool'],
        ['domsnap log --follow --json', 'as a stream, for a collector'],
        ['domsnap log verify', 'has anybody changed the journal?'],
      ),
    )
    .action(async (domain, options, command) => {
      const { log } = await import('./log.ts');
      process.exitCode = await log(callOf(command), domain, options);
    })
    .addCommand(
      new Command('verify')
        .description('check the chain of hashes over all records')
        .addHelpText('after', examples(['domsnap log verify', 'exit 0: as it was written; 5: not']))
        .action(async (_options, command) => {
          const { logVerify } = await import('./log.ts');
          process.exitCode = await logVerify(callOf(command));
        }),
    )
    .addCommand(
      new Command('export')
        .description('all records, oldest first, as JSON lines')
        .addHelpText('after', examples(['domsnap log export > audit.jsonl', 'for an archive']))
        .action(async (_options, command) => {
          const { logExport } = await import('./log.ts');
          process.exitCode = await logExport(callOf(command));
        }),
    );
