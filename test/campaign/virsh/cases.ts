import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DOMAIN } from '../../../src/bench/lab-guest.ts';
import type { Words } from './command.ts';
import { runAgain, type Stage, scribble } from './stage.ts';
import { LIVE, OFFLINE, type Victim } from './victims.ts';

/** The name of the snapshot that a round is about. */
export const NAME = 'wanted';
const EARLIER = 'earlier';

/** What virsh can be asked, and how a user comes to ask it. The guest runs when the stage is set. */
export interface Case {
  readonly id: string;
  readonly goal: 'create' | 'delete' | 'revert';
  readonly live: boolean;
  readonly victims: readonly Victim[];
  /** What the command is given to work on. */
  prepare(stage: Stage): Promise<void>;
  words(stage: Stage, name: string): Words;
  /** The same again for whoever found it undone: by default the same words. */
  again?(stage: Stage): Promise<Words>;
  /** What is left to do for whoever typed the words, once all have been done. */
  tidy?(stage: Stage): Promise<void>;
}

type Part = (stage: Stage, name: string) => readonly string[];

const nothing: Part = () => [];
const diskOnly: Part = () => ['--disk-only'];

/** All of them, with those that libvirt 9.0 refuses: the table says so. */
export const CASES: readonly Case[] = [
  create('create, external, with memory', true, memory, diskFile),
  create('create, external, with memory, --live', true, memory, diskFile, ['--live']),
  create('create, external, --disk-only', true, diskOnly, diskFile),
  create('create, external, --disk-only --quiesce', true, diskOnly, diskFile, ['--quiesce']),
  create('create, internal, with memory', true, nothing, nothing),
  create('create, external, off', false, diskOnly, diskFile),
  create('create, internal, off', false, nothing, nothing),
  remove('delete, external', true, true),
  committed(),
  remove('delete, internal', true, false),
  remove('delete, external, off', false, true),
  remove('delete, internal, off', false, false),
  revert('revert, internal with memory', true, false),
  revert('revert, internal, off', false, false),
  revert('revert, external', true, true),
];

function memory({ images }: Stage, name: string): string[] {
  return ['--memspec', `file=${join(images, `${name}.memory`)},snapshot=external`];
}

function diskFile({ images }: Stage, name: string): string[] {
  return ['vda', 'vdb'].flatMap(device => {
    const file = join(images, `${device}.${name}`);
    return ['--diskspec', `${device},snapshot=external,file=${file}`];
  });
}

const creation = (stage: Stage, name: string, how: Part, disks: Part, more: readonly string[]) => [
  ...['snapshot-create-as', DOMAIN, name, '--atomic'],
  ...how(stage, name),
  ...disks(stage, name),
  ...more,
];

function create(
  id: string,
  live: boolean,
  how: Part,
  disks: Part,
  more: readonly string[] = [],
): Case {
  const external = disks === diskFile;
  return {
    id,
    goal: 'create',
    live,
    victims: live ? LIVE : OFFLINE,
    async prepare(stage) {
      if (!live) await stage.libvirtd.virsh('destroy', DOMAIN);
      await make(stage, EARLIER, external);
      if (live) await scribble(stage, 2);
    },
    words: (stage, name) => [creation(stage, name, how, disks, more)],
  };
}

/** A snapshot to work on: disk-only where it is external, with the memory of a running guest otherwise. */
async function make(stage: Stage, name: string, external: boolean): Promise<void> {
  const how = external ? diskOnly : nothing;
  await stage.libvirtd.virsh(...creation(stage, name, how, external ? diskFile : nothing, []));
}

function remove(id: string, live: boolean, external: boolean): Case {
  return {
    id,
    goal: 'delete',
    live,
    victims: live ? LIVE : OFFLINE,
    async prepare(stage) {
      await make(stage, EARLIER, external);
      await make(stage, NAME, external);
      await scribble(stage, 8);
      if (!live) await stage.libvirtd.virsh('destroy', DOMAIN);
    },
    words: () => [['snapshot-delete', DOMAIN, NAME]],
  };
}

/** How a live external snapshot is deleted by hand: each disk's overlay merged down, then the record. */
function committed(): Case {
  const commit = (device: string) => [
    ...['blockcommit', DOMAIN, device, '--active', '--shallow'],
    ...['--pivot', '--wait'],
  ];
  const forget = ['snapshot-delete', DOMAIN, NAME, '--metadata'];
  const words = [commit('vda'), commit('vdb'), forget];
  return {
    ...remove('blockcommit --pivot of both disks, then --metadata', true, true),
    words: () => words,
    async again({ libvirtd, images }) {
      const left: (readonly string[])[] = [];
      for (const device of ['vda', 'vdb']) {
        const job = ['blockjob', DOMAIN, device];
        // Without --raw it speaks on stderr.
        const found = await libvirtd.virsh(...job, '--info', '--raw').catch(() => '');
        if (/Commit/i.test(found)) left.push([...job, '--abort']);
        const list = await libvirtd.virsh('domblklist', DOMAIN).catch(() => '');
        if (list.includes(join(images, `${device}.${NAME}`))) left.push(commit(device));
      }
      return [...left, forget];
    },
    async tidy({ images }) {
      for (const device of ['vda', 'vdb']) await rm(join(images, `${device}.${NAME}`));
    },
  };
}

function revert(id: string, live: boolean, external: boolean): Case {
  return {
    id,
    goal: 'revert',
    live,
    victims: live ? LIVE : OFFLINE,
    async prepare(stage) {
      if (!live) await stage.libvirtd.virsh('destroy', DOMAIN);
      await make(stage, NAME, external);
      if (!live) await runAgain(stage);
      // What has happened since is what the revert must leave behind.
      await sleep(2_000);
      await scribble(stage, 4);
      if (!live) await stage.libvirtd.virsh('destroy', DOMAIN);
    },
    words: () => [['snapshot-revert', DOMAIN, NAME]],
  };
}
