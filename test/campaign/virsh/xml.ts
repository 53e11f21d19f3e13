/** One disk in a domain's description: which file the guest writes to. */
export interface Head {
  readonly device: string;
  readonly path: string;
}

/** A snapshot as libvirt lists it. */
export interface Listed {
  readonly name: string;
  /** How libvirt holds the memory; `no` where it does not. */
  readonly memory: 'no' | 'internal' | 'external';
  readonly memoryFile: string | null;
  readonly disks: readonly ListedDisk[];
}

/** A disk of a snapshot. */
export interface ListedDisk {
  readonly device: string;
  readonly how: 'internal' | 'external' | 'no';
  /** The image that holds the content: the domain's own at that time. */
  readonly base: string;
  /** The image that was put over it, of an external one. */
  readonly overlay: string | null;
}

/** The heads that `virsh dumpxml` names. A disk's own source comes before those of its backing files. */
export function headsOf(xml: string): Head[] {
  return [...xml.matchAll(/<disk type='file'[^>]*>([\s\S]*?)<\/disk>/g)].flatMap(([, disk]) => {
    const device = /<target dev='([^']*)'/.exec(disk!)?.[1];
    const path = /<source file='([^']*)'/.exec(disk!)?.[1];
    return device !== undefined && path !== undefined ? [{ device, path: plain(path) }] : [];
  });
}

/** What `virsh snapshot-dumpxml` says. */
export function snapshotOf(xml: string): Listed {
  const [own = '', domain = ''] = split(xml);
  const memory = /<memory snapshot='(\w+)'(?: file='([^']*)')?/.exec(own);
  const bases = new Map(headsOf(domain).map(({ device, path }) => [device, path]));
  const disks = [...own.matchAll(/<disk name='([^']*)' snapshot='(\w+)'([\s\S]*?)(?=<disk |$)/g)];
  return {
    name: plain(/<name>([^<]*)</.exec(own)?.[1] ?? ''),
    memory: (memory?.[1] ?? 'no') as Listed['memory'],
    memoryFile: memory?.[2] === undefined ? null : plain(memory[2]),
    disks: disks.map(([, device, how, rest]) => ({
      device: device!,
      how: how as ListedDisk['how'],
      base: bases.get(device!) ?? '',
      overlay: plain(/<source file='([^']*)'/.exec(rest!)?.[1] ?? '') || null,
    })),
  };
}

/** The snapshot's own words, and the domain as it was then. */
function split(xml: string): [string, string] {
  const at = xml.search(/<domain[ >]/);
  return at < 0 ? [xml, ''] : [xml.slice(0, at), xml.slice(at)];
}

const plain = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&apos;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
