import { isManaged, type Snapshot } from '../../catalog/model.ts';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { DomainDeed, Overlay, RecordedSnapshot } from '../port.ts';
import { isPersistent, withFile } from './description-file.ts';
import { machineOf } from './domain-config.ts';
import type { LibvirtLife } from './life.ts';
import { readRecord, withFiles, writeRecord } from './snapshot-xml.ts';

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

/** The snapshots that libvirt has records of; none where it does not know the domain. */
export async function records({ libvirt }: LibvirtLife): Promise<readonly RecordedSnapshot[]> {
  const deviceDigest = machineOf(libvirt.config);
  const found: RecordedSnapshot[] = [];
  for (const name of await names({ libvirt })) {
    const record = await libvirt.ask('snapshot-dumpxml', name, '--security-info');
    found.push({ ...readRecord(record, await libvirt.poolsOf(record)), deviceDigest });
  }
  return found;
}

/**
 * Have libvirt list a snapshot, so that virsh and virt-manager show it. A record is for others to read:
 * where libvirt refuses it (a domain that it forgets, a kind that it has no words for), the snapshot is
 * none the worse.
 */
export async function tellSnapshot(
  life: LibvirtLife,
  { snapshot, overlays, current }: Of<'tellSnapshot'>,
): Promise<Json> {
  if (onVolumes(snapshot)) return { told: false, why: NO_WORDS };
  return await ifAccepted(async () => {
    const record = await written(life, snapshot, overlays);
    const words = current ? ['--redefine', '--current'] : ['--redefine'];
    await withFile(record, path => life.libvirt.verb('snapshot-create', path, ...words));
  });
}

/** Libvirt's own record of a snapshot; one that it has none of, as it would be told. */
export async function recordOf(life: LibvirtLife, snapshot: Snapshot): Promise<string> {
  const { libvirt } = life;
  const told = (await names(life)).includes(snapshot.name);
  if (told) return await libvirt.ask('snapshot-dumpxml', snapshot.name, '--security-info');
  if (onVolumes(snapshot)) throw new StepError('no-records', NO_WORDS, { retryable: false });
  return await written(life, snapshot, []);
}

/** Its records know snapshots inside an image, and those in files: virsh would look for these in the volume. */
const onVolumes = ({ disks }: Snapshot): boolean =>
  disks.some(({ mode, image }) => mode === 'internal' && isManaged(image));

const NO_WORDS = 'libvirt has no words for a snapshot that a volume manager keeps';

/** Have libvirt take a record up. Throws `refused` where it does not. */
export async function takeRecord(life: LibvirtLife, { record }: Of<'takeRecord'>): Promise<Json> {
  const { name } = readRecord(record);
  await withFile(record, path => life.libvirt.verb('snapshot-create', path, '--redefine'));
  return { taken: name };
}

async function written(
  life: LibvirtLife,
  snapshot: Snapshot,
  overlays: readonly Overlay[],
): Promise<string> {
  const { libvirt } = life;
  const known = await names(life);
  const parent =
    snapshot.parent !== null && known.includes(snapshot.parent) ? snapshot.parent : null;
  const domain = await libvirt.xml((await isPersistent(life)) ? 'next' : 'now');
  return writeRecord({ snapshot, parent, overlays, domain });
}

/** Have libvirt name other files in the records that it has. */
export async function moveRecords(life: LibvirtLife, { files }: Of<'moveRecords'>): Promise<Json> {
  const replaced = new Map(files.map(({ from, to }) => [from, to]));
  return await ifAccepted(async () => {
    for (const name of replaced.size > 0 ? await names(life) : []) {
      const before = await life.libvirt.ask('snapshot-dumpxml', name, '--security-info');
      const after = withFiles(before, replaced, await life.libvirt.poolsOf(before));
      if (after === null) continue;
      await withFile(after, path => life.libvirt.verb('snapshot-create', path, '--redefine'));
    }
  });
}

/** Have libvirt forget snapshots; their files are left alone. */
export async function untellSnapshots(
  life: LibvirtLife,
  { names: gone }: Of<'untellSnapshots'>,
): Promise<Json> {
  return await ifAccepted(async () => {
    const known = await names(life);
    for (const name of gone.filter(one => known.includes(one))) {
      await life.libvirt.verb('snapshot-delete', name, '--metadata');
    }
  });
}

/** Have libvirt take another one for current. */
export async function tellCurrent(life: LibvirtLife, { name }: Of<'tellCurrent'>): Promise<Json> {
  return await ifAccepted(async () => {
    const known = await names(life);
    if (name !== null && known.includes(name)) {
      await life.libvirt.verb('snapshot-current', '--snapshotname', name);
    }
  });
}

async function names({ libvirt }: Pick<LibvirtLife, 'libvirt'>): Promise<string[]> {
  if ((await libvirt.state()) === null) return [];
  const said = await libvirt.ask('snapshot-list', '--name', '--topological');
  return said.split('\n').flatMap(line => line.trim() || []);
}

async function ifAccepted(work: () => Promise<void>): Promise<Json> {
  try {
    await work();
    return { told: true };
  } catch (error) {
    if (!(error instanceof StepError) || error.code !== 'refused' || error.retryable) throw error;
    return { told: false, why: error.message };
  }
}
