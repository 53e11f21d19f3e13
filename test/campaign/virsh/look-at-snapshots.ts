import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { DOMAIN } from '../../../src/bench/lab-guest.ts';
import type { CounterRecord } from '../../../src/lab/counter-record.ts';
import { sha256File } from '../../../src/tools/file-facts.ts';
import { imageInfo } from '../../../src/tools/qemu-img.ts';
import { readDisk } from '../../lab/cases/contents.ts';
import { tools } from '../../lab/cases/harness.ts';
import type { SeenSnapshot } from './sight.ts';
import type { Stage } from './stage.ts';
import { type ListedDisk, snapshotOf } from './xml.ts';

/** Every snapshot that libvirt lists, with what is found of it. Throws ToolError. */
export async function lookAtSnapshots(stage: Stage): Promise<SeenSnapshot[]> {
  const { libvirtd } = stage;
  const list = await libvirtd.virsh('snapshot-list', DOMAIN, '--name');
  const seen: SeenSnapshot[] = [];
  for (const name of list.split('\n').filter(line => line !== '')) {
    seen.push(await lookAt(stage, await libvirtd.virsh('snapshot-dumpxml', DOMAIN, name)));
  }
  return seen;
}

async function lookAt(stage: Stage, xml: string): Promise<SeenSnapshot> {
  const listed = snapshotOf(xml);
  const missing: string[] = [];
  const digests: Record<string, string> = {};
  const counters: Record<string, CounterRecord> = {};
  if (listed.memoryFile !== null) {
    const fault = await memoryFault(listed.memoryFile);
    if (fault === null) digests.memory = await sha256File(listed.memoryFile, tools.log);
    else missing.push(`its memory: ${fault}`);
  }
  for (const disk of listed.disks.filter(({ how }) => how !== 'no')) {
    const fault = await diskFault(disk, listed.name, listed.memory);
    if (fault !== null) {
      missing.push(`${disk.device}: ${fault}`);
      continue;
    }
    try {
      const { sha256, counter } = await readDisk(stage, {
        device: disk.device,
        image: { path: disk.base, format: 'qcow2' },
        ...(disk.how === 'internal' ? { tag: listed.name } : {}),
      });
      digests[disk.device] = sha256;
      counters[disk.device] = counter;
    } catch (error) {
      digests[disk.device] = `unreadable: ${error instanceof Error ? error.message : error}`;
    }
  }
  return { ...listed, missing, digests, counters };
}

async function diskFault(
  { how, base, overlay, device }: ListedDisk,
  name: string,
  memory: string,
): Promise<string | null> {
  if (!existsSync(base)) return 'no image';
  if (how === 'external') {
    return overlay !== null && existsSync(overlay) ? null : 'no overlay';
  }
  const { snapshots } = await imageInfo(base, 'qcow2', { ...tools, shared: true });
  const found = snapshots.find(({ tag }) => tag === name);
  if (!found) return 'no such tag';
  // QEMU keeps the memory in the first disk.
  if (memory === 'internal' && device === 'vda' && found.vmStateBytes === 0) return 'no memory';
  return null;
}

/**
 * What is wrong with a memory file of libvirt's: its header says `Part` while it is being written
 * (qemu_saveimage.h of 9.0), and QEMU's stream ends in a description of the machine, as JSON.
 */
async function memoryFault(path: string): Promise<string | null> {
  if (!existsSync(path)) return 'no file';
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const start = (await file.read(Buffer.alloc(16), 0, 16, 0)).buffer.toString('latin1');
    if (start !== 'LibvirtQemudSave') return `begins with ${JSON.stringify(start)}`;
    const tail = Buffer.alloc(Math.min(size, 8_192));
    await file.read(tail, 0, tail.length, size - tail.length);
    return /\}\0*$/.test(tail.toString('latin1')) ? null : 'cut short';
  } finally {
    await file.close();
  }
}
