import type { Catalog, Domain } from '../catalog/model.ts';
import { refuse } from '../plan/refusal.ts';

/** A domain of the catalog by its name. Throws RefusedError. */
export function knownDomain({ catalog }: { readonly catalog: Catalog }, name: string): Domain {
  const domain = catalog.domain(name);
  if (domain) return domain;
  const hint = `'domsnap domain list' shows those there are; 'domsnap domain add FILE' adds one, 'domsnap domain add --libvirt NAME' one that virsh knows`;
  throw refuse('unknown-domain', `there is no domain ${JSON.stringify(name)}`, hint);
}
