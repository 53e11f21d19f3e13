import type { Command, DomainDeed, Merge } from '../port.ts';
import * as commands from './commands.ts';
import { isBlockDevice, type QemuLife } from './life.ts';
import { overlayNode } from './node-names.ts';
import { sinkUri, sourceUri } from './sink.ts';
import { argvFor } from './start.ts';

const { shown, jobCommand } = commands;

/** What `perform` would send where nothing goes wrong; questions are not shown. */
export function preview(life: QemuLife, deed: DomainDeed): readonly Command[] {
  switch (deed.do) {
    case 'attachOverlays':
      return deed.overlays.map(one => shown(commands.attach(one, isBlockDevice)));
    case 'detachVolumes':
      return deed.volumes.map(({ path }) => shown(commands.detach(nodeOfPath(life, path))));
    case 'freeze':
    case 'thaw':
      return [{ tool: 'agent', command: { execute: `guest-fsfreeze-${deed.do}` } }];
    case 'pause':
      return [shown(commands.stop)];
    case 'quiesce':
    case 'configureHeads':
    case 'tellSnapshot':
    case 'takeRecord':
    case 'untellSnapshots':
    case 'moveRecords':
    case 'tellCurrent':
      return [];
    case 'resume':
      return [shown(commands.cont)];
    case 'snapshotDisks':
      return [shown(commands.snapshot(deed.external, deed.internal, one => headNode(life, one)))];
    case 'dropTags':
      return deed.internal.map(({ device, tag }) =>
        shown(commands.dropTag(headNode(life, device), tag)),
      );
    case 'prepareCapture':
    case 'beginCapture':
    case 'finishCapture':
    case 'cancelCapture':
      return previewCapture(deed);
    case 'mergeUp':
    case 'mergeDown':
    case 'pivotMerges':
    case 'closeMerges':
    case 'cancelMerges':
      return previewMerge(life, deed);
    case 'stop':
      return [shown(commands.stop), shown(commands.quit)];
    case 'start':
      return [{ tool: 'exec', command: argvFor(life, { ...deed, incoming: false }) }];
    case 'startFrom':
      return [
        { tool: 'exec', command: argvFor(life, { ...deed, paused: true, incoming: true }) },
        shown(commands.migrateIncoming(sourceUri(deed.memory.path))),
      ];
  }
}

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

function previewCapture(
  deed: Of<'prepareCapture' | 'beginCapture' | 'finishCapture' | 'cancelCapture'>,
): Command[] {
  const prepare = [commands.captureModes(deed.capture, false), commands.captureSpeed(true)];
  const leave = [commands.captureModes(null, false), commands.captureSpeed(false)];
  const background = deed.capture === 'background';
  switch (deed.do) {
    case 'prepareCapture':
      return prepare.map(shown);
    case 'beginCapture':
      return [shown(commands.migrate(sinkUri(deed.path)))];
    case 'finishCapture':
      return [...(background ? [] : [commands.migrateOn]), ...leave].map(shown);
    case 'cancelCapture':
      return [...(background ? [] : [commands.migrateCancel]), ...leave].map(shown);
  }
}

function previewMerge(
  life: QemuLife,
  deed: Of<'mergeUp' | 'mergeDown' | 'pivotMerges' | 'closeMerges' | 'cancelMerges'>,
): Command[] {
  if (deed.do === 'cancelMerges') {
    const all = (what: 'job-cancel' | 'job-dismiss') =>
      deed.jobs.map(id => shown(jobCommand(what, id)));
    return [...all('job-cancel'), ...all('job-dismiss')];
  }
  const all = (what: Parameters<typeof jobCommand>[0], merges: readonly Merge[]) =>
    merges.map(({ job }) => shown(jobCommand(what, job)));
  const end = (merges: readonly Merge[]) => [
    ...all('job-finalize', merges),
    ...all('job-dismiss', merges),
  ];
  const nodes = (merge: Merge): commands.MergeNodes => ({
    head: headNode(life, merge.device),
    top: nodeOf(life, merge.device, merge.top.path),
    base: merge.base && nodeOf(life, merge.device, merge.base.path),
  });
  const flush = (merges: readonly Merge[]) =>
    merges.flatMap(({ device, top, base }) =>
      [top, ...(base ? [base] : [])].map(({ path }) =>
        shown(commands.flush(nodeOf(life, device, path))),
      ),
    );
  const flushBases = (merges: readonly Merge[]) =>
    merges.flatMap(({ device, base }) =>
      base ? [shown(commands.flush(nodeOf(life, device, base.path)))] : [],
    );
  const isHead = ({ device, top }: Merge) => headOf(life, device) === top.path;
  const close = (merges: readonly Merge[]) =>
    merges.map(({ device, top }) => shown(commands.detach(nodeOf(life, device, top.path))));
  switch (deed.do) {
    case 'mergeUp':
      return [
        ...deed.merges.map(merge => shown(commands.stream(merge, nodes(merge)))),
        ...flush(deed.merges),
        ...end(deed.merges),
        ...flush(deed.merges),
      ];
    case 'mergeDown': {
      const inner = deed.merges.filter(merge => !isHead(merge));
      return [
        ...deed.merges.map(merge => shown(commands.commit(merge, nodes(merge)))),
        ...flush(inner),
        ...end(inner),
        ...flush(inner),
        ...close(inner),
      ];
    }
    case 'pivotMerges':
      return [
        ...all('job-complete', deed.merges),
        ...all('job-finalize', deed.merges),
        ...flushBases(deed.merges),
      ];
    case 'closeMerges':
      return [
        ...all('job-dismiss', deed.merges),
        ...flushBases(deed.merges),
        ...close(deed.merges),
      ];
  }
}

const headOf = ({ heads, seen }: QemuLife, device: string): string | undefined =>
  seen?.chains[device]?.[0]?.volume.path ?? heads().find(one => one.device === device)?.head.path;

/** As it was seen last, else by its making: a disk's first image has the disk's name as its node. */
function nodeOf({ config, seen }: QemuLife, device: string, path: string): string {
  const open = seen?.images.find(({ volume }) => volume.path === path);
  const first = config.disks.find(one => one.device === device)?.path === path;
  return open?.name ?? (first ? device : overlayNode(device, path));
}

function headNode(life: QemuLife, device: string): string {
  const head = headOf(life, device);
  return head === undefined ? device : nodeOf(life, device, head);
}

function nodeOfPath(life: QemuLife, path: string): string {
  const device = life.heads().find(({ head }) => head.path === path)?.device;
  return device === undefined ? path : nodeOf(life, device, path);
}
