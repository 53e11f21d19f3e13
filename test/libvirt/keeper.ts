import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { addDomain } from '../../src/operations/domains.ts';
import { ToolError } from '../../src/tools/tool-error.ts';
import { discoverDomain } from '../../src/toolstacks/libvirt/discover.ts';
import { readDescription } from '../../src/toolstacks/libvirt/domain-xml.ts';
import { qemuOf } from '../../src/toolstacks/libvirt/passthrough.ts';
import { DOMAIN, type Keeper, type World } from '../lab/cases/harness.ts';
import { type QemuUser, TestLibvirtd } from './daemon.ts';
import { labDomainXml } from './domain-xml.ts';

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
    async add(world) {
      if (uuid === '') uuid = await define(daemon, world);
      const { config, disks } = await discoverDomain(DOMAIN, daemon.uri);
      await addDomain(world.session, {
        name: DOMAIN,
        toolstack: 'libvirt',
        config,
        disks: disks.map(({ device, volume }) => ({ device, head: volume })),
      });
    },
    agrees: world => agrees(daemon, world),
    async down() {
      await daemon.close();
    },
  };
}

async function define(daemon: TestLibvirtd, { root, lab }: World): Promise<string> {
  const path = join(root, 'domain.xml');
  writeFileSync(path, labDomainXml(lab, MEMORY_MB));
  await daemon.virsh('define', path);
  return await daemon.virsh('domuuid', DOMAIN);
}

/** I4: libvirt names the same heads, for now and for the next start; and I6: it has no job. */
async function agrees(daemon: TestLibvirtd, { session }: World): Promise<void> {
  const heads = session.catalog.domain(DOMAIN)?.disks.map(({ head }) => head.path);
  for (const which of [[], ['--inactive']]) {
    const { disks } = readDescription(await daemon.virsh('dumpxml', DOMAIN, ...which));
    expect(
      disks.map(({ volume }) => volume.path),
      `I4: libvirt's heads ${which}`,
    ).toEqual(heads);
    for (const { device } of disks) {
      const job = await daemon.virsh('blockjob', DOMAIN, device).catch(onlyToolErrors);
      expect(job ?? '', `I6: libvirt's job of ${device}`).not.toMatch(/\d+ %/);
    }
  }
}

function onlyToolErrors(error: unknown): undefined {
  if (!(error instanceof ToolError)) throw error;
}
