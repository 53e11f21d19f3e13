import { StepError } from '../../engine/step.ts';
import { ToolError } from '../../tools/tool-error.ts';
import { Virsh } from '../../tools/virsh.ts';
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
 * Look a domain up, by its name, in the libvirt behind a URI or in the one that virsh itself would take.
 * Throws StepErrors: `no-libvirt`, `no-domain`, `bad-description`.
 */
export async function discoverDomain(
  name: string,
  connect: string | undefined,
): Promise<DiscoveredDomain> {
  const virsh = new Virsh({ connect, log: () => {} });
  const call = async (...words: string[]): Promise<string> => {
    try {
      return await virsh.call(words, { deadlineMs: CALL_MS });
    } catch (error) {
      throw error instanceof ToolError ? refusedBy(error) : error;
    }
  };
  try {
    const uri = (await call('uri')).trim();
    const uuid = (await call('domuuid', name)).trim();
    const { disks, others } = readDescription(await call('dumpxml', uuid, '--security-info'));
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
