import type { Running } from '../lab/cases/command.ts';
import type { Keeper } from '../lab/cases/harness.ts';
import type { Chance } from '../seeded-random.ts';
import type { CampaignWorld } from './campaign-world.ts';
import type { Errand } from './errands.ts';

/** Where a fault strikes. */
export interface Scene {
  readonly world: CampaignWorld;
  readonly errand: Errand;
  readonly command: Running;
  readonly chance: Chance;
}

/** Takes the fault away again. */
export type Undo = () => Promise<void> | void;

/** A fault that has struck. */
export interface Struck {
  readonly undo: Undo;
  /** What the person at this host does once it is gone, before and after recovery. */
  readonly settle?: () => Promise<void>;
}

/** Something that happens to an operation from outside, and passes. */
export interface Fault {
  readonly name: string;
  /** What the operation must be like for it; all are by default. */
  readonly suits?: (errand: Errand) => boolean;
  readonly needsRoot?: true;
  /** The only toolstack that can meet it; each can by default. */
  readonly under?: Keeper['name'];
  /** What the command is told beside its words. */
  readonly env?: Readonly<Record<string, string>>;
  /** It waits for its moment by itself, from the operation's first record on. */
  readonly patient?: true;
  /** How long it lasts, in milliseconds; less where the command ends before. */
  readonly holdMs: (chance: Chance) => number;
  /** Before the command is started: what it needs to be able to strike. */
  readonly prepare?: (world: CampaignWorld) => Promise<Preparation>;
  /** Answers null where there was nothing to strike. */
  strike(scene: Scene, preparation: Preparation): Promise<Struck | null> | Struck | null;
}

/** What was made for a fault before the command began. */
export interface Preparation {
  /** Breaks every connection to domsnap's monitor, and takes no new one until it may. */
  readonly cut?: () => Undo;
  /** Answers when the guest stands still. */
  readonly stopped?: Promise<void>;
  /** Send a command by the second monitor. */
  readonly tell?: (command: string) => Promise<void>;
  /** Undo all of it. */
  readonly end: () => Promise<void> | void;
}

/** As long as most people's troubles last in a test: 0.3 to 3 s. */
export const aWhile = (chance: Chance): number => chance.between(300, 3_000);

export const ofARunningGuest = ({ before }: Errand): boolean => before === 'running';
