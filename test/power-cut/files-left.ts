import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Volume } from '../../src/catalog/model.ts';
import type { Session } from '../../src/operations/session.ts';
import { Manifest, TRASH } from '../../src/storages/trash.ts';
import { backingChain } from '../../src/tools/backing-chain.ts';
import { imageFormat } from '../../src/tools/image-format.ts';
import { run } from '../../src/tools/run.ts';
import { tools } from './tools.ts';

/** I5: what lies beside the images that no record owns, or is owned and not there. */
export async function strangeFiles(session: Session, domain: string): Promise<string | undefined> {
  const images = await allImages(session, domain);
  const memory = session.catalog.snapshots(domain).flatMap(one => one.memory?.path ?? []);
  const owned = new Set([...images.keys(), ...memory]);
  const missing = [...owned].find(path => !existsSync(path));
  if (missing !== undefined) return `${missing} is owned, and not there`;
  for (const folder of new Set([...owned].map(path => dirname(path)))) {
    for (const name of readdirSync(folder).filter(name => name !== TRASH)) {
      if (!owned.has(join(folder, name))) return `nobody owns ${join(folder, name)}`;
    }
    const strange = strangeTrash(join(folder, TRASH));
    if (strange !== undefined) return strange;
  }
  return undefined;
}

function strangeTrash(trash: string): string | undefined {
  for (const operation of existsSync(trash) ? readdirSync(trash) : []) {
    const folder = join(trash, operation);
    const text = readFileSync(join(folder, 'manifest.json'), 'utf8');
    const names = Manifest.parse(JSON.parse(text)).files.map(({ name }) => name);
    const listed = ['manifest.json', ...names].sort().join(' ');
    const found = readdirSync(folder).sort().join(' ');
    if (found !== listed) return `${folder} holds ${found}; its manifest says ${listed}`;
  }
  return undefined;
}

/** A qcow2 image whose metadata is damaged; clusters that nobody uses do no harm. */
export async function unsoundImages(session: Session, domain: string): Promise<string | undefined> {
  for (const [path, format] of await allImages(session, domain)) {
    if (format !== 'qcow2') continue;
    const argv = ['qemu-img', 'check', '-q', '-f', 'qcow2', path] as const;
    const { exitCode } = await run(argv, { timeoutMs: 60_000, okExits: [0, 2, 3], ...tools });
    if (exitCode === 2) return `${path} is damaged`;
  }
  return undefined;
}

/** Every image that the domain or a snapshot stands on, with its format. */
async function allImages(
  { catalog }: Session,
  domain: string,
): Promise<ReadonlyMap<string, string>> {
  const tops: Volume[] = [
    ...catalog.domain(domain)!.disks.map(({ head }) => head),
    ...catalog
      .snapshots(domain)
      .flatMap(({ disks }) => disks.filter(({ mode }) => mode !== 'none').map(one => one.image)),
  ];
  const found = new Map<string, string>();
  for (const { path, format } of tops) {
    const chain = await backingChain(path, imageFormat.parse(format), { shared: false, ...tools });
    for (const image of chain) found.set(image.path, String(image.format));
  }
  return found;
}
