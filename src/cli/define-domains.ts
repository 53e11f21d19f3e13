import { Argument, Command } from '@commander-js/extra-typings';
import { callOf, examples, waitOption } from './options.ts';

const domainArgument = () => new Argument('<domain>', 'name of the domain');

/** `domsnap domain add|list|show|start|stop|remove`. */
export const domainCommand = () =>
  new Command('domain')
    .description('the domains that domsnap looks after')
    .addCommand(domainAdd())
    .addCommand(domainList())
    .addCommand(domainShow())
    .addCommand(domainStart())
    .addCommand(domainStop())
    .addCommand(domainRemove())
    .addHelpText(
      'after',
      examples(
        ['domsnap domain add web1.yaml', 'take a domain in'],
        ['domsnap domain start web1', 'run it on its current heads'],
        ['domsnap domain list', 'all of them, and how they stand'],
      ),
    );

const FILE_HELP = `
A domain that libvirt looks after needs no file: --libvirt NAME. A domain file:
  name: web1
  binary: qemu-system-x86_64
  arguments: [-m, 2G, -accel, kvm, -display, none]
  disks:
    - {device: vda, path: ./web1.qcow2, format: qcow2}
    - {device: vdb, path: ./data.raw, format: raw}
  monitor: ./qmp.sock
  agent: ./agent.sock`;

const domainAdd = () =>
  new Command('add')
    .description('take a domain in, or its changed file up')
    .argument('[file]', 'a domain file (YAML)')
    .option('--libvirt <name>', 'a domain that virsh knows, by its name; needs no file')
    .option('--connect <uri>', 'the libvirt to ask, as for virsh --connect')
    .addHelpText('after', FILE_HELP)
    .addHelpText(
      'after',
      examples(
        ['domsnap domain add web1.yaml', 'checks the file and the disks'],
        ['domsnap domain add --libvirt web1', 'one that libvirt looks after'],
      ),
    )
    .action(async (file, options, command) => {
      const domain = await import('./domain.ts');
      const call = callOf(command);
      process.exitCode = await domain.domainAdd(call, { file, ...options });
    });

const domainList = () =>
  new Command('list')
    .description('all domains, and how they stand')
    .addHelpText('after', examples(['domsnap domain list', 'running, paused or off']))
    .action(async (_options, command) => {
      const { domainList } = await import('./domain.ts');
      process.exitCode = await domainList(callOf(command));
    });

const domainShow = () =>
  new Command('show')
    .description('one domain: disks and their chains, how memory can be saved, its agent')
    .addArgument(domainArgument())
    .addHelpText('after', examples(['domsnap domain show web1', 'what works here, and what not']))
    .action(async (domain, _options, command) => {
      const { domainShow } = await import('./domain.ts');
      process.exitCode = await domainShow(callOf(command), domain);
    });

const domainStart = () =>
  new Command('start')
    .description('start a domain on its current heads')
    .addArgument(domainArgument())
    .option('--paused', 'do not let it run yet')
    .addOption(waitOption())
    .addHelpText('after', examples(['domsnap domain start web1', 'one that runs is left alone']))
    .action(async (domain, options, command) => {
      const { domainStart } = await import('./domain.ts');
      process.exitCode = await domainStart(callOf(command), domain, options);
    });

const domainStop = () =>
  new Command('stop')
    .description('end a domain, its disks flushed; the guest is not asked')
    .addArgument(domainArgument())
    .addOption(waitOption())
    .addHelpText('after', examples(['domsnap domain stop web1', 'as pulling the plug would']))
    .action(async (domain, options, command) => {
      const { domainStop } = await import('./domain.ts');
      process.exitCode = await domainStop(callOf(command), domain, options);
    });

const domainRemove = () =>
  new Command('remove')
    .description('forget a domain that has no snapshots; its images stay')
    .addArgument(domainArgument())
    .addHelpText('after', examples(['domsnap domain remove web1', 'its history stays in the log']))
    .action(async (domain, _options, command) => {
      const { domainRemove } = await import('./domain.ts');
      process.exitCode = await domainRemove(callOf(command), domain);
    });

/** `domsnap lab up|down|status`. */
export const labCommand = () =>
  new Command('lab')
    .description('a throw-away guest to try all this on')
    .addCommand(
      new Command('up')
        .description('make it, add it as the domain `lab`, and start it')
        .addHelpText('after', examples(['domsnap lab up', 'needs qemu-system-x86_64, no root']))
        .action(async (_options, command) => {
          const { labUpCommand } = await import('./lab.ts');
          process.exitCode = await labUpCommand(callOf(command));
        }),
    )
    .addCommand(
      new Command('status')
        .description('what it counts, in memory and on each disk')
        .addHelpText(
          'after',
          examples(['domsnap lab status', 'the counters agree at any snapshot']),
        )
        .action(async (_options, command) => {
          const { labStatusCommand } = await import('./lab.ts');
          process.exitCode = await labStatusCommand(callOf(command));
        }),
    )
    .addCommand(
      new Command('down')
        .description('end it, and remove all of it')
        .addHelpText('after', examples(['domsnap lab down', 'its snapshots go, too']))
        .action(async (_options, command) => {
          const { labDownCommand } = await import('./lab.ts');
          process.exitCode = await labDownCommand(callOf(command));
        }),
    )
    .addHelpText('after', examples(['domsnap lab up', 'then: domsnap create lab first']));
