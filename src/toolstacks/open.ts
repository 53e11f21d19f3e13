import type { Domain } from '../catalog/model.ts';
import type { Clock } from '../engine/clock.ts';
import type { Toolstack } from './port.ts';

/** What every toolstack is given. */
export interface ToolstackOptions {
  /** domsnap's home folder, for what a toolstack must remember of a running domain. */
  readonly home: string;
  readonly clock: Clock;
  /** The domain as the catalog has it now. */
  readonly domain: () => Domain;
}

/** Open the toolstack of a domain. Connects to nothing yet. */
export async function openToolstack(domain: Domain, options: ToolstackOptions): Promise<Toolstack> {
  const { home, clock } = options;
  const heads = () => {
    const { disks } = options.domain();
    // A changed domain file is looked at before it is taken up: the catalog lacks what it adds.
    const added = domain.disks.filter(({ device }) => !disks.some(one => one.device === device));
    return [...disks, ...added];
  };
  switch (domain.toolstack) {
    case 'qemu': {
      const { QemuDomainConfig } = await import('./qemu/domain-config.ts');
      const { qemuToolstack } = await import('./qemu/toolstack.ts');
      return qemuToolstack(QemuDomainConfig.parse(domain.config), { home, clock, heads });
    }
    case 'libvirt': {
      const { LibvirtDomainConfig } = await import('./libvirt/domain-config.ts');
      const { libvirtToolstack } = await import('./libvirt/toolstack.ts');
      return libvirtToolstack(LibvirtDomainConfig.parse(domain.config), { home, clock, heads });
    }
    case 'xen':
      throw new Error('this domsnap has no toolstack xen');
  }
}
