import { StepError } from '../engine/step.ts';
import { lvchangeArgv, lvremoveArgv } from '../tools/lvm-argv.ts';
import { type LvName, logicalVolumeAt } from '../tools/lvm-name.ts';
import { type LogicalVolume, volumesOf } from '../tools/lvm-report.ts';
import type { Argv } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { runLocked } from './locked-tool.ts';

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
    const held = all.filter(({ suspended }) => suspended);
    // lvcreate suspends the origin for an instant; killed there it leaves all its readers waiting.
    for (const { name } of held) await this.change(name, '--refresh');
    return new Volumes(all, this.disk, this.#path);
  }

  /** Run a command that changes the group, under the lock of the disk: the next life waits for it. */
  async run(argv: Argv): Promise<void> {
    await runLocked(argv, [this.#path], this.#context);
  }

  change(lv: string, ...change: readonly string[]): Promise<void> {
    return this.run(lvchangeArgv(this.sibling(lv), ...change));
  }

  remove(lv: string): Promise<void> {
    return this.run(lvremoveArgv(this.sibling(lv)));
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

/** StepError `missing`, for a tag that no volume has. */
export const noSuchTag = (path: string, tag: string): StepError =>
  new StepError('missing', `${path} has no snapshot ${tag}`, { retryable: false });
