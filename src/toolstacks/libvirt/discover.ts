import { StepError } from '../../engine/step.ts';
import { ToolError } from '../../tools/tool-error.ts';
import { Virsh } from '../../tools/virsh.ts';
import { askPools } from './ask-pools.ts';
import type { LibvirtDomainConfig } from './domain-config.ts';
import { type DescribedDisk, readDescription } from './domain-xml.ts';
import { refusedBy } from './libvirt.ts';

const CALL_MS = 20_000;

/** A domain as libvirt has it, with what domsnap keeps to find it again. */
export interface DiscoveredDomain {
  readonly config: LibvirtDomainConfig;
  readonly disks: readonly DescribedDisk[];
  /** Disks that no snapshot can hold, and why. */
  readonly others: readonly { readonly device: string; readonly why: string }[];
}

/**
 * Look a domain up, by its name, in the libvirt behind a URI or in the one that virsh itself would take
 * (LIBVIRT_DEFAULT_URI, virsh(1)). `deadlineMs`: of each of two calls.
 * Throws StepErrors: `no-libvirt`, `no-domain`, `bad-description`, `no-disk`, `other-libvirt`.
 */
export async function discoverDomain(
  name: string,
  connect: string | undefined,
  deadlineMs = CALL_MS,
): Promise<DiscoveredDomain> {
  const virsh = new Virsh({ connect, log: () => {} });
  const call = async (...words: string[]): Promise<string> => {
    try {
      return await virsh.call(words, { deadlineMs });
    } catch (error) {
      throw error instanceof ToolError ? refusedBy(error) : error;
    }
  };
  try {
    const uri = (await call('uri')).trim();
    const elsewhere = notHere(uri);
    if (elsewhere !== undefined) {
      const message = `${uri} cannot be worked with: ${elsewhere}`;
      throw new StepError('other-libvirt', message, { retryable: false });
    }
    const xml = await call('dumpxml', name, '--security-info');
    const pools = await askPools(xml, pool => call('pool-dumpxml', pool));
    const described = readDescription(xml, pools);
    const { uuid, disks, others } = described;
    // virsh takes an id or a UUID for a name, too; the name is what every later command is told.
    if (described.name !== name) {
      const message = `libvirt (${uri}) has no domain ${name} by its name: the one it means is ${described.name}`;
      throw new StepError('no-domain', message, { retryable: false });
    }
    if (disks.length === 0) {
      const why = others.map(one => `${one.device}: ${one.why}`).join('; ');
      const message = `${name} has no disk that a snapshot could hold${why === '' ? '' : ` (${why})`}`;
      throw new StepError('no-disk', message, { retryable: false });
    }
    return { config: { name, uuid, connect: uri }, disks, others };
  } finally {
    virsh.close();
  }
}

/**
 * Why domains behind a URI cannot be worked with from here, or undefined: paths of another host are none
 * of this one's, though files of the same names may lie here.
 */
export function notHere(uri: string): string | undefined {
  const [, driver = '', host = ''] = /^([a-z]+)[^:]*:\/\/([^/?]*)/.exec(uri) ?? [];
  if (driver !== 'qemu') return `it is not of libvirt's QEMU driver`;
  return host === '' ? undefined : `its disks are on another host (${host}): run domsnap there`;
}
