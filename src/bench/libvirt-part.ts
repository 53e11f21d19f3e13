import { join } from 'node:path';
import { thisProcess } from '../engine/who.ts';
import { addDomain } from '../operations/domains.ts';
import { openSession } from '../operations/open-session.ts';
import { runRequest } from '../operations/run-request.ts';
import { discoverDomain } from '../toolstacks/libvirt/discover.ts';
import { type Finding, series } from './findings.ts';
import { DOMAIN } from './lab-guest.ts';
import type { Libvirt } from './libvirt.ts';
import { type Arena, duel, refusalOf, type Scores, type Task } from './libvirt-duel.ts';
import { libvirtGuest, libvirtGuestGone } from './libvirt-guest.ts';
import { say } from './say.ts';

/**
 * The same by domsnap and by virsh, on the same domain of the same libvirt: what is created is deleted by
 * whoever has created it. A revert has no pause to measure: its guest ends.
 */
export async function libvirtPart(
  folder: string,
  libvirt: Libvirt,
  { rounds, sizes }: { readonly rounds: number; readonly sizes: readonly number[] },
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const memoryMb of sizes) {
    const place = join(folder, `libvirt-${memoryMb}`);
    try {
      say(`libvirt: a guest of ${memoryMb} MiB`);
      findings.push(...(await onDomain(place, libvirt, memoryMb, rounds)));
    } finally {
      await libvirtGuestGone(libvirt, place);
    }
  }
  return findings;
}

async function onDomain(
  place: string,
  libvirt: Libvirt,
  memoryMb: number,
  rounds: number,
): Promise<Finding[]> {
  const { folder, watch } = await libvirtGuest(libvirt, place, memoryMb);
  const session = openSession({ home: join(place, 'home'), who: thisProcess() });
  try {
    const { config, disks } = await discoverDomain(DOMAIN, libvirt.uri);
    const heads = disks.map(({ device, volume }) => ({ device, head: volume }));
    await addDomain(session, { name: DOMAIN, toolstack: 'libvirt', config, disks: heads });
    const arena: Arena = { libvirt, session, folder, watch };
    const found: Finding[] = [];
    for (const tasksOf of [diskOnly, checkpoint]) {
      const scores = await duel(arena, rounds, name => tasksOf(folder, name));
      found.push(...findingsOf(scores, memoryMb));
    }
    watch.close();
    const unwatched = { ...arena, watch: null };
    found.push(...(await revertFindings(unwatched, memoryMb, rounds)));
    await libvirt.virsh('destroy', DOMAIN);
    found.push(...findingsOf(await duel(unwatched, rounds, offline), null));
    return found;
  } finally {
    watch.close();
    session.close();
  }
}

const diskSpecs = (folder: string, name: string): string[] =>
  ['vda', 'vdb'].flatMap(device => [
    '--diskspec',
    `${device},snapshot=external,file=${join(folder, `${device}.${name}`)}`,
  ]);

const create = (name: string, ...words: string[]): string[] => ['create', DOMAIN, name, ...words];
const createAs = (name: string, ...words: string[]): string[] => [
  ...['snapshot-create-as', DOMAIN, name],
  ...words,
];

const deletion = (what: string, name: string): Task => ({
  name: `delete of ${what}`,
  domsnap: ['delete', DOMAIN, name],
  virsh: ['snapshot-delete', DOMAIN, name],
});

function diskOnly(folder: string, name: string): Task[] {
  const what = 'live disk-only, external';
  const words = ['--memory', 'none', '--disks', 'external', '--quiesce', 'no'];
  return [
    {
      name: `create, ${what}`,
      domsnap: create(name, ...words),
      virsh: createAs(name, '--disk-only', '--atomic', ...diskSpecs(folder, name)),
    },
    deletion(what, name),
  ];
}

function checkpoint(folder: string, name: string): Task[] {
  const what = 'live checkpoint, external';
  const memory = ['--memspec', `file=${join(folder, `${name}.memory`)},snapshot=external`];
  return [
    {
      name: `create, ${what}`,
      domsnap: create(name, '--disks', 'external'),
      virsh: createAs(name, '--live', '--atomic', ...memory, ...diskSpecs(folder, name)),
    },
    deletion(what, name),
  ];
}

function offline(name: string): Task[] {
  const what = 'off, internal';
  return [
    {
      name: `create, ${what}`,
      domsnap: create(name, '--disks', 'internal'),
      virsh: createAs(name),
    },
    {
      name: `revert, ${what}`,
      domsnap: ['revert', DOMAIN, name],
      virsh: ['snapshot-revert', DOMAIN, name],
    },
    deletion(what, name),
  ];
}

const GOAL = 'goal';

/** Back to one checkpoint again and again, which virsh refuses. */
async function revertFindings(arena: Arena, memoryMb: number, rounds: number): Promise<Finding[]> {
  const { session, libvirt } = arena;
  const wish = { domain: DOMAIN, name: GOAL };
  await runRequest(session, { ...wish, operation: 'create', disks: 'external' });
  const refusal = await refusalOf(libvirt, ['snapshot-revert', DOMAIN, GOAL]);
  const task = {
    name: 'revert, live checkpoint, external',
    domsnap: ['revert', DOMAIN, GOAL],
    virsh: null,
  };
  const scores = await duel(arena, rounds, () => [task]);
  await runRequest(session, { ...wish, operation: 'delete' });
  return findingsOf(scores, memoryMb, `virsh: ${refusal ?? 'does it, and was not measured'}`);
}

function findingsOf({ domsnap, virsh }: Scores, memoryMb: number | null, note?: string): Finding[] {
  const common = { part: 'libvirt', memoryMb, unit: 'ms' as const, against: 'virsh', verdicts: [] };
  return [...domsnap].flatMap(([name, own]): Finding[] => {
    const other = virsh.get(name) ?? [];
    const pauses = [own, other].map(all => series(all.flatMap(({ pauseMs }) => pauseMs ?? [])));
    const walls = [own, other].map(all => series(all.map(({ wallMs }) => wallMs)));
    const line = (what: string, [mine = null, its = null]: typeof walls): Finding => ({
      ...common,
      what: `${name}: ${what}`,
      domsnap: mine,
      other: its,
      note,
    });
    return [...(pauses[0] ? [line('guest pause', pauses)] : []), line('command', walls)];
  });
}
