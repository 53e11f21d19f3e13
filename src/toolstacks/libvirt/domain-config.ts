import { z } from 'zod';

/** How a domain that libvirt looks after is found again. All else is asked when it is needed. */
export const LibvirtDomainConfig = z.lazy(() =>
  z.object({
    name: z.string().min(1),
    /** A domain of the same name with another one is another domain. */
    uuid: z.uuid(),
    /** A connection URI; null for libvirt's own choice. */
    connect: z.string().min(1).nullable(),
  }),
);
export type LibvirtDomainConfig = z.infer<typeof LibvirtDomainConfig>;

/**
 * What saved memory loads into. It brings the description of its machine with it, so that it fits the
 * domain whatever its next start is like: the domain's identity is all that has to agree.
 */
export const machineOf = ({ uuid }: Pick<LibvirtDomainConfig, 'uuid'>): string => `libvirt:${uuid}`;
