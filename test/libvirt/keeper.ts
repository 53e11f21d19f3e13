import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { z } from 'zod';
import { libvirtXml } from '../../src/lab/libvirt-xml.ts';
import { addDomain } from '../../src/operations/domains.ts';
import { ToolError } from '../../src/tools/tool-error.ts';
import { discoverDomain } from '../../src/toolstacks/libvirt/discover.ts';
import { readDescription } from '../../src/toolstacks/libvirt/domain-xml.ts';
import { qemuOf } from '../../src/toolstacks/libvirt/passthrough.ts';
import { behindItsBack, DOMAIN, type Keeper, type World } from '../lab/cases/harness.ts';
import { pidsWhose } from '../processes.ts';
import { type QemuUser, TestLibvirtd } from './daemon.ts';

const MEMORY_MB = 128;

/** A guest whose QEMU a libvirtd of the test's own looks after. */
export interface LibvirtKeeper extends Keeper {
  readonly daemon: TestLibvirtd;
}

/** Start a libvirtd for a world. */
export async function libvirtKeeper(root: string, user: QemuUser = 'root'): Promise<LibvirtKeeper> {
  const daemon = await TestLibvirtd.start(join(root, 'libvirt'), user);
  let uuid = '';
  return {
    name: 'libvirt',
    daemon,
    pid: () => (uuid === '' ? null : (qemuOf(uuid)?.pid ?? null)),
    notesOf: () => uuid,
    logOf: () => join(root, 'libvirt', 'var-log-libvirt', 'qemu', `${DOMAIN}.log`),
    async add(world) {
      if (uuid === '') uuid = await define(daemon, world, user);
      const { config, disks } = await discoverDomain(DOMAIN, daemon.uri);
      await addDomain(world.session, {
        name: DOMAIN,
        toolstack: 'libvirt',
        config,
        disks: disks.map(({ device, volume }) => ({ device, head: volume })),
      });
    },
    agrees: world => agrees(daemon, world),
    ready: () => daemon.ensure(),
    async down() {
      await daemon.close();
    },
  };
}

async function define(daemon: TestLibvirtd, { root, lab }: World, user: QemuUser): Promise<string> {
  const path = join(root, 'domain.xml');
  const xml = libvirtXml(lab, { memoryMb: MEMORY_MB, monitor: 'other.sock', agent: true });
  writeFileSync(path, user === 'root' ? xml : openedTo(xml, root, lab.files.folder));
  await daemon.virsh('define', path);
  return await daemon.virsh('domuuid', DOMAIN);
}

/** What another user than root must reach to start the guest: the folders, and a kernel of its own. */
function openedTo(xml: string, root: string, folder: string): string {
  chmodSync(root, 0o755);
  // QEMU itself makes the socket of the second monitor in there.
  chmodSync(folder, 0o777);
  return xml.replace(/<(kernel|initrd)>([^<]+)</g, (_all, part: string, from: string) => {
    const to = join(root, part);
    copyFileSync(from, to);
    chmodSync(to, 0o644);
    return `<${part}>${to}<`;
  });
}

/**
 * I1: libvirt says of the guest what QEMU says. I4: it names the same heads, for now and for the next
 * start. I5: it has records of the same snapshots. I6: it has no job, and nothing of domsnap's still reads memory.
 */
async function agrees(daemon: TestLibvirtd, world: World): Promise<void> {
  const disks = world.session.catalog.domain(DOMAIN)?.disks ?? [];
  const heads = disks.map(({ head }) => head.path);
  if (daemon.waitsForNobody(DOMAIN)) await daemon.free(DOMAIN);
  for (const which of [[], ['--inactive']]) {
    const described = readDescription(await daemon.ask('dumpxml', DOMAIN, ...which)).disks;
    expect(
      described.map(({ volume }) => volume.path),
      `I4: libvirt's heads ${which}`,
    ).toEqual(heads);
    for (const { device } of described) {
      const job = await daemon.ask('blockjob', DOMAIN, device).catch(onlyToolErrors);
      expect(job ?? '', `I6: libvirt's job of ${device}`).not.toMatch(/\d+ %/);
    }
  }
  const listed = (await daemon.ask('snapshot-list', DOMAIN, '--name')).split('\n').filter(Boolean);
  // What a revert has kept stands on no overlay that a record could name.
  const told = world.session.catalog.snapshots(DOMAIN).filter(({ kind }) => kind === 'snapshot');
  const names = told.map(({ name }) => name);
  expect(listed.sort(), `I5: libvirt's records are of ${listed}, not ${names}`).toEqual(
    names.sort(),
  );
  await statesAgree(daemon, world);
  await sinksAreGone(heads.map(path => dirname(path)));
}

const status = z.object({ running: z.boolean() });

async function statesAgree(daemon: TestLibvirtd, world: World): Promise<void> {
  const { running } =
    world.keeper.pid(world) === null
      ? { running: null }
      : await behindItsBack(world, monitor => monitor.execute(status, 'query-status'));
  const word = running === null ? 'shut off' : running ? 'running' : 'paused';
  expect(await daemon.ask('domstate', DOMAIN), "I1: libvirt's word for the state").toBe(word);
}

/** A sink ends when its QEMU has closed the pipe: a moment later at the most. */
async function sinksAreGone(folders: readonly string[]): Promise<void> {
  const mine = (word: string) => folders.some(folder => word.includes(`domsnap-sink=${folder}/`));
  const sinks = () => pidsWhose(argv => argv.some(mine));
  for (let triesLeft = 20; triesLeft > 0 && sinks().length > 0; triesLeft -= 1) await sleep(100);
  expect(sinks(), 'I6: sinks of saved memory').toEqual([]);
}

function onlyToolErrors(error: unknown): undefined {
  if (!(error instanceof ToolError)) throw error;
}
