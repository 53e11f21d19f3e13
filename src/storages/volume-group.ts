import { StepError } from '../engine/step.ts';
import { devicesOf, removeDevice } from '../tools/dm-devices.ts';
import { lvchangeArgv, lvremoveArgv } from '../tools/lvm-argv.ts';
import { type LvName, logicalVolumeAt } from '../tools/lvm-name.ts';
import { type LogicalVolume, volumesOf } from '../tools/lvm-report.ts';
import type { Argv } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { runLockedByInput } from './locked-tool.ts';
import { markOf } from './lvm-view.ts';

/** The volume group of a disk, asked anew each time: LVM is the only one who knows what there is. */
export class Group {
  readonly #context: CallContext;
  readonly #path: string;
  readonly disk: LvName;

  private constructor(path: string, disk: LvName, context: CallContext) {
    this.#path = path;
    this.disk = disk;
    this.#context = context;
  }

  /** Throws StepError `bad-image` for a path that is no logical volume. */
  static async of(path: string, context: CallContext): Promise<Group> {
    const disk = await logicalVolumeAt(path);
    if (disk) return new Group(path, disk, context);
    throw new StepError('bad-image', `${path} is no logical volume`, { retryable: false });
  }

  /** What LVM has now, by name; after a command that was cut short, none of it holds its breath. */
  async volumes(): Promise<Volumes> {
    const all = await volumesOf(this.disk.vg, this.#context);
    // lvcreate suspends the origin for an instant; killed there it leaves all its readers waiting.
    const held = all.filter(one => one.suspended && isOfDisk(one, this.disk, all));
    // Classic snapshots go on with the disk. LVM takes no word for one that is being merged.
    const isThin = ({ pool, segment }: LogicalVolume) => pool !== null || segment === 'thin-pool';
    const names = new Set(held.map(one => (isThin(one) ? one.name : this.disk.lv)));
    for (const name of names) await this.change(name, '--refresh');
    const now = held.length > 0 ? await volumesOf(this.disk.vg, this.#context) : all;
    return new Volumes(now, this.disk, this.#path);
  }

  /** Run a command that changes the group, under the lock of the disk: the next life waits for it. */
  async run(argv: Argv): Promise<void> {
    await runLockedByInput(argv, this.#path, this.#context);
  }

  change(lv: string, ...change: readonly string[]): Promise<void> {
    return this.run(lvchangeArgv(this.sibling(lv), ...change));
  }

  remove(lv: string): Promise<void> {
    return this.run(lvremoveArgv(this.sibling(lv)));
  }

  /**
   * Clear away what a killed lvcreate has left in the kernel of a volume that LVM does not know any more;
   * answers whether there was anything. `cutShort`: that was no snapshot yet.
   */
  async sweep(lv: string, cutShort: boolean): Promise<boolean> {
    const left = await devicesOf(this.sibling(lv));
    for (const name of left) await removeDevice(name, this.#context);
    // The disk itself was to go over to another table.
    const swept = cutShort || left.length > 0;
    if (swept) await this.change(this.disk.lv, '--refresh');
    return swept;
  }

  sibling(lv: string): LvName {
    return { vg: this.disk.vg, lv };
  }
}

/** The volumes of a group as they were when they were asked for. */
export class Volumes {
  readonly #all: readonly LogicalVolume[];
  readonly #disk: LvName;
  readonly #path: string;

  constructor(all: readonly LogicalVolume[], disk: LvName, path: string) {
    this.#all = all;
    this.#disk = disk;
    this.#path = path;
  }

  find(lv: string): LogicalVolume | undefined {
    return this.#all.find(({ name }) => name === lv);
  }

  /** The disk itself. Throws StepError `missing`. */
  get disk(): LogicalVolume {
    const found = this.find(this.#disk.lv);
    if (found) return found;
    throw new StepError('missing', `${this.#path} is not there`, { retryable: false });
  }

  /** Classic snapshots of the disk whose content is being put in its place. */
  get merging(): LogicalVolume | undefined {
    return this.#all.find(({ origin, merging }) => merging && origin === this.#disk.lv);
  }

  /** Throws StepError `in-use` where somebody has the disk open, and its content cannot be changed. */
  mustBeClosed(): void {
    if (!this.find(this.#disk.lv)?.open) return;
    throw new StepError('in-use', `${this.#path} is open: something uses it, or has mounted it`, {
      retryable: true,
    });
  }
}

/** The name of a thin disk whose place is being taken. */
export const replaced = (lv: string): string => `${lv}.replaced`;

/** What a command on the disk may have suspended. What is somebody else's may be so on purpose. */
function isOfDisk(one: LogicalVolume, { lv }: LvName, all: readonly LogicalVolume[]): boolean {
  const pool = all.find(({ name }) => name === lv)?.pool;
  return (
    [lv, replaced(lv), pool].includes(one.name) ||
    one.origin === lv ||
    one.tags.includes(markOf(lv))
  );
}

/**
 * Throws StepError `exists` for a volume that does not have domsnap's mark as one made of the disk: a name
 * alone is no proof, and what is somebody else's is neither removed nor taken for a snapshot.
 */
export function mustBeOurs({ vg, name, tags }: LogicalVolume, disk: LvName): void {
  if (tags.includes(markOf(disk.lv))) return;
  const message = `${vg}/${name} is there, and has no mark of domsnap's as a snapshot of ${disk.lv}`;
  throw new StepError('exists', message, { retryable: false });
}

/** StepError `missing`, for a tag that no volume has. */
export const noSuchTag = (path: string, tag: string): StepError =>
  new StepError('missing', `${path} has no snapshot ${tag}`, { retryable: false });
