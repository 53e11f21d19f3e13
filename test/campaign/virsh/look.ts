import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { DOMAIN } from '../../../src/bench/lab-guest.ts';
import type { CounterRecord } from '../../../src/lab/counter-record.ts';
import { imageInfo } from '../../../src/tools/qemu-img.ts';
import { connectQmp } from '../../../src/tools/qmp.ts';
import { chainOf, readDisk } from '../../lab/cases/contents.ts';
import { tools } from '../../lab/cases/harness.ts';
import { lookAtSnapshots } from './look-at-snapshots.ts';
import type { Sight } from './sight.ts';
import { onlyToolErrors, ownFiles, qemuPid, type Stage, values } from './stage.ts';
import { type Head, headsOf } from './xml.ts';

const QMP_MS = 5_000;
const GUEST_MS = 3_000;

/** Look at everything once: takes half a second, and 3 s more where the guest stands still. */
export async function look(stage: Stage): Promise<Sight> {
  const { libvirtd } = stage;
  const ask = async (...args: string[]): Promise<string | undefined> =>
    (await libvirtd.virsh(...args).catch(onlyToolErrors))?.trim();
  const domstate = await ask('domstate', DOMAIN);
  const config = headsOf((await ask('dumpxml', DOMAIN, '--inactive')) ?? '');
  const inside = qemuPid(stage) === null ? null : await monitored(stage);
  // The guest takes its time, in which the rest is looked at.
  const guest = guestOf(stage, inside?.status === 'running');
  const rest = {
    domstate: domstate ?? null,
    qemu: inside?.status ?? null,
    frozen: inside !== null && (await isFrozen(ask)),
    jobs: [...(inside?.jobs ?? []), ...(inside ? libvirtJob(await ask('domjobinfo', DOMAIN)) : [])],
    heads: {
      live: headsOf((await ask('dumpxml', DOMAIN)) ?? ''),
      config,
      qemu: inside?.heads ?? null,
    },
    snapshots: domstate === undefined ? [] : await lookAtSnapshots(stage),
    chains: await chainsOf([...config, ...(inside?.heads ?? [])]),
    files: filesOf(stage),
    tags: await tagsOf(stage),
    counters: inside === null ? await countersOf(stage, config) : [],
  };
  return { ...rest, ...(await guest) };
}

const blocks = z.array(
  z.object({
    qdev: z.string().optional(),
    inserted: z.object({ image: z.object({ filename: z.string() }) }).optional(),
  }),
);

/** What the guest's QEMU says on a monitor that is not libvirt's. */
async function monitored({ monitor }: Stage) {
  try {
    const qmp = await connectQmp({ path: monitor, deadlineMs: QMP_MS, ...tools });
    try {
      const { status } = await qmp.execute(z.object({ status: z.string() }), 'query-status');
      const jobs = await qmp.execute(
        z.array(z.object({ type: z.string(), status: z.string().optional() })),
        'query-block-jobs',
      );
      const found = await qmp.execute(blocks, 'query-block');
      const files = found.flatMap(({ inserted }) => inserted?.image.filename ?? []);
      // libvirt attaches disks in the order of the description.
      const heads = files.map((path, index): Head => ({ device: `vd${'ab'[index]}`, path }));
      return { status, jobs: jobs.map(({ type }) => `${type} in QEMU`), heads };
    } finally {
      qmp.close();
    }
  } catch (error) {
    onlyToolErrors(error);
    return { status: 'does not answer', jobs: [], heads: null };
  }
}

async function guestOf(stage: Stage, runs: boolean): Promise<Pick<Sight, 'guest' | 'moves'>> {
  if (!runs) return { guest: null, moves: false };
  const first = await values(stage, GUEST_MS).catch(onlyToolErrors);
  await sleep(300);
  const second = await values(stage, GUEST_MS).catch(onlyToolErrors);
  return {
    guest: second ?? null,
    moves: first !== undefined && second !== undefined && second.mem > first.mem,
  };
}

async function isFrozen(ask: (...args: string[]) => Promise<string | undefined>) {
  const status = '{"execute":"guest-fsfreeze-status"}';
  const said = await ask('qemu-agent-command', DOMAIN, status, '--timeout', '3');
  return said?.includes('"frozen"') ?? false;
}

/** `Job type: None`, and nothing else, where there is none; an error where the domain is not known to run. */
const libvirtJob = (said: string | undefined): string[] =>
  said === undefined || /None/.test(said) ? [] : [`of libvirt: ${said.split('\n')[0]}`];

/** All images that heads stand on, themselves included; a head that cannot be read stands for itself. */
async function chainsOf(heads: readonly Head[]): Promise<string[]> {
  const found = new Set<string>();
  for (const { path } of heads) {
    found.add(path);
    const chain = await chainOf({ path, format: 'qcow2' }).catch(() => []);
    for (const image of chain) found.add(image.path);
  }
  return [...found];
}

function filesOf(stage: Stage): string[] {
  const own = new Set(ownFiles(stage));
  return readdirSync(stage.images)
    .filter(name => !own.has(name))
    .map(name => join(stage.images, name));
}

async function tagsOf({ images }: Stage): Promise<{ image: string; tag: string }[]> {
  const found: { image: string; tag: string }[] = [];
  for (const name of readdirSync(images).filter(file => /^vd[ab]\./.test(file))) {
    const image = join(images, name);
    const info = await imageInfo(image, 'qcow2', { ...tools, shared: true }).catch(onlyToolErrors);
    for (const { tag } of info?.snapshots ?? []) found.push({ image, tag });
  }
  return found;
}

async function countersOf(
  stage: Stage,
  heads: readonly Head[],
): Promise<(CounterRecord | string)[]> {
  const found: (CounterRecord | string)[] = [];
  for (const { device, path } of heads) {
    try {
      const image = { path, format: 'qcow2' };
      found.push((await readDisk(stage, { device, image })).counter);
    } catch (error) {
      found.push(error instanceof Error ? error.message : String(error));
    }
  }
  return found;
}
