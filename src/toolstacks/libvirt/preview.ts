import type { Command, DomainDeed, Merge } from '../port.ts';
import * as commands from '../qemu/commands.ts';
import { headOf } from '../qemu/overlays.ts';
import { snapshotWords } from './disks.ts';
import type { LibvirtLife } from './life.ts';

/** What `perform` would do where nothing goes wrong; questions are not shown. */
export function preview(life: LibvirtLife, deed: DomainDeed): readonly Command[] {
  const { libvirt } = life;
  const verb = (name: string, ...words: readonly string[]): Command =>
    plain(name, life.name, ...words);
  const plain = (...words: readonly string[]): Command => ({
    tool: 'exec',
    command: [...libvirt.virsh.argv(words)],
  });
  const monitor = (command: Parameters<typeof commands.shown>[0]): Command =>
    verb(
      'qemu-monitor-command',
      '--cmd',
      JSON.stringify({
        execute: command.command,
        ...(command.args ? { arguments: command.args } : {}),
      }),
    );
  switch (deed.do) {
    case 'attachOverlays':
    case 'detachVolumes':
    case 'quiesce':
    case 'closeMerges':
      return [];
    case 'freeze':
      return [verb('domfsfreeze')];
    case 'thaw':
      return [verb('domfsthaw')];
    case 'pause':
      return [verb('suspend')];
    case 'resume':
      return [verb('resume')];
    case 'snapshotDisks':
      return [
        ...(deed.internal.length > 0
          ? [monitor(commands.snapshot([], deed.internal, device => nodeOf(life, device)))]
          : []),
        ...(deed.external.length > 0
          ? [verb('snapshot-create-as', ...snapshotWords(deed.external, life.devices))]
          : []),
      ];
    case 'dropTags':
      return deed.internal.map(({ device, tag }) =>
        monitor(commands.dropTag(nodeOf(life, device), tag)),
      );
    case 'prepareCapture':
      return [commands.captureModes(deed.capture, true), commands.captureSpeed(true)].map(monitor);
    case 'beginCapture':
      return [
        monitor({ command: 'getfd', args: { fdname: 'domsnap-memory' } }),
        monitor(commands.migrate('fd:domsnap-memory')),
      ];
    case 'finishCapture':
    case 'cancelCapture':
      return [commands.captureModes(null, true), commands.captureSpeed(false)].map(monitor);
    case 'mergeUp':
      return deed.merges.map(({ device, base }) =>
        verb('blockpull', device, ...(base ? ['--base', base.path] : [])),
      );
    case 'mergeDown':
      return deed.merges.map(merge => verb('blockcommit', merge.device, ...committed(life, merge)));
    case 'pivotMerges':
      return deed.merges.map(({ device }) => verb('blockjob', device, '--pivot'));
    case 'cancelMerges':
      return deed.jobs.map(() => verb('blockjob', '--abort'));
    case 'stop':
      return [verb('destroy', '--graceful')];
    case 'start':
      return [plain('define', 'DESCRIPTION'), verb('start', ...(deed.paused ? ['--paused'] : []))];
    case 'startFrom':
      if (deed.memory.inside !== undefined) {
        return [verb('snapshot-revert', deed.memory.inside, '--paused')];
      }
      return [plain('restore', deed.memory.path, '--xml', 'DESCRIPTION', '--paused')];
    case 'tellSnapshot':
      return [
        verb('snapshot-create', 'RECORD', '--redefine', ...(deed.current ? ['--current'] : [])),
      ];
    case 'takeRecord':
      return [verb('snapshot-create', 'RECORD', '--redefine')];
    case 'untellSnapshots':
      return deed.names.map(name => verb('snapshot-delete', name, '--metadata'));
    case 'moveRecords':
      return deed.files.length > 0 ? [verb('snapshot-create', 'RECORD', '--redefine')] : [];
    case 'tellCurrent':
      return deed.name === null ? [] : [verb('snapshot-current', '--snapshotname', deed.name)];
    case 'configureHeads':
      return [plain('define', 'DESCRIPTION')];
  }
}

function committed(life: LibvirtLife, { device, top, base }: Merge): string[] {
  const head = life.heads().find(one => one.device === device)?.head.path;
  const active = head === top.path ? ['--active'] : [];
  return [...active, '--top', top.path, '--base', base?.path ?? top.path];
}

const nodeOf = ({ seen }: LibvirtLife, device: string): string =>
  seen ? headOf(seen, device).name : device;
