import type { DomainDisk, Volume } from '../catalog/model.ts';
import type { RevertDisk } from '../steps/input.ts';
import type { Note } from './draft.ts';
import type { Refusal } from './refusal.ts';
import type { AskedMode } from './request.ts';
import type { Survey } from './survey.ts';
import { typed } from './typed.ts';
import { chainOf } from './walk-images.ts';

/** As large as a differencing VHD can be (2040 GiB); `tools/vhd` holds to it too. */
const VHD_BYTES_MAX = 2040 * 2 ** 30;

/** A VHD that shows data of another one, which QEMU would read as zeros. */
export const isDifferencing = ({ images }: Pick<Survey, 'images'>, { path, format }: Volume) =>
  format === 'vpc' && (images.get(path)?.backing ?? null) !== null;

/** The next head of a disk: a VHD child or a qcow2 overlay, under this name without its ending. */
export const nextHead = (stem: string, child: boolean): Volume =>
  child ? { path: `${stem}.vhd`, format: 'vpc' } : { path: `${stem}.qcow2`, format: 'qcow2' };

/** Is this disk to go on in a VHD child? One that has begun so goes on so. */
export const wantsChild = (asked: AskedMode | 'auto', facts: Survey, head: Volume): boolean =>
  asked === 'vhd' || (asked === 'auto' && isDifferencing(facts, head));

/** What a user should know who goes on in a VHD child. */
export const childNote = ({ domain }: Survey, device: string): Note => ({
  what: `${device} goes on in a VHD child`,
  why: `until its snapshots are deleted ${domain.name} cannot run: QEMU reads its parent’s data as zeros`,
});

/** What forbids the next head of a disk, if anything. */
export function refuseChild(facts: Survey, disk: DomainDisk, child: boolean): Refusal[] {
  const { domain, view, images } = facts;
  const { device, head } = disk;
  const overlay = `--disk ${device}=external makes a qcow2 overlay`;
  if (!child) {
    if (!isDifferencing(facts, head)) return [];
    const message = `${device}: ${head.path} is a differencing VHD, which QEMU would read below a qcow2 overlay as zeros`;
    return [{ code: 'vhd-unread', message, hint: `use --disk ${device}=vhd` }];
  }
  if (head.format !== 'vpc') {
    const message = `${device} is ${head.format}: only a VHD can have a VHD child`;
    return [{ code: 'vhd-unsupported', message, hint: `${overlay}, over any format` }];
  }
  if (domain.toolstack === 'libvirt') {
    const message = `${device}: libvirt would give a differencing VHD to QEMU, which reads its parent’s data as zeros`;
    return [{ code: 'vhd-unread', message, hint: overlay }];
  }
  if (view.runState !== 'off') {
    const message = `${device}: a running ${domain.name} cannot go over to a VHD child: QEMU reads its parent’s data as zeros`;
    const hint = `${overlay}, which works while it runs; or ${typed('domain', 'stop', domain.name)} first`;
    return [{ code: 'vhd-live', message, hint }];
  }
  if ((images.get(head.path)?.virtualBytes ?? 0) > VHD_BYTES_MAX) {
    const message = `${device} is larger than 2040 GiB, the most that a differencing VHD can have`;
    return [{ code: 'vhd-too-large', message, hint: overlay }];
  }
  return [];
}

/** Does a revert to this image stand on it as a VHD: where nothing else can, or others do and no guest runs? */
export function standsAsChild(facts: Survey, image: Volume, runAfter: string): boolean {
  if (isDifferencing(facts, image)) return true;
  const others = [...facts.images.values()].some(
    ({ volume, backing }) => volume.format === 'vpc' && backing?.path === image.path,
  );
  return image.format === 'vpc' && others && runAfter === 'off';
}

/** What forbids the heads that a revert would make. */
export function refuseHeads(
  facts: Survey,
  disks: readonly RevertDisk[],
  runAfter: string,
): Refusal[] {
  const given = disks.map(({ device, image, head, newHead }) => ({
    device,
    image: newHead ? image : head,
    child: newHead?.format === 'vpc',
  }));
  // What libvirt has in its description, it or its user may start at any time.
  const risky = facts.domain.toolstack === 'libvirt' ? given.filter(({ child }) => child) : [];
  return notForQemu(facts, runAfter === 'off' ? risky : given);
}

/** A disk on its way to QEMU: the image that it is given, or the one that a new head stands on. */
interface GivenDisk {
  readonly device: string;
  readonly image: Volume;
  /** The new head is a VHD child of it. */
  readonly child?: boolean;
}

/** QEMU must not be started on a differencing VHD, nor on what stands on one. */
export function notForQemu(facts: Survey, disks: readonly GivenDisk[]): Refusal[] {
  return disks.flatMap(({ device, image, child = false }) => {
    const chain = chainOf(facts, image);
    if (!child && !chain.some(one => isDifferencing(facts, one))) return [];
    const head = child ? `a new child of ${image.path}` : image.path;
    return [
      {
        code: 'vhd-unread',
        message: `${device}: ${head} is a differencing VHD, or stands on one: QEMU would read its parent’s data as zeros`,
        hint: wayOut(facts, child ? chain : chain.slice(1)),
      },
    ];
  });
}

/** What is below goes by deleting the snapshots that hold it. */
function wayOut({ domain, snapshots }: Survey, below: readonly Volume[]): string {
  const paths = new Set(below.map(({ path }) => path));
  const names = snapshots
    .filter(({ disks }) =>
      disks.some(({ mode, image }) => mode !== 'none' && paths.has(image.path)),
    )
    .map(({ name }) => name);
  const [first] = names;
  if (first === undefined) {
    return 'its parents are no snapshots of domsnap’s: make it complete with the tool that made it';
  }
  const del = typed('delete', domain.name, first);
  const others = names.length > 1 ? ` (and so on: ${names.slice(1).join(', ')})` : '';
  return `${del}${others} makes it a complete VHD; qcow2 overlays (--disk DISK=external) need none of this`;
}

/** What QEMU has been led to already, or somebody's own overlay leads it to. */
export function misplacedVhds(facts: Survey): Refusal[] {
  return facts.domain.disks.flatMap(({ device, head }) => {
    const chain = chainOf(facts, head);
    const at = chain.findIndex(one => isDifferencing(facts, one));
    if (at < 0 || (at === 0 && facts.view.runState === 'off')) return [];
    const lower = chain[at]?.path ?? head.path;
    const message = `${device}: ${lower} is a differencing VHD, and QEMU reads its parent’s data as zeros`;
    const hint =
      'end what runs on it, and bring the disk back from before; nothing it shows can be relied on';
    return [{ code: 'vhd-unread', message, hint }];
  });
}
