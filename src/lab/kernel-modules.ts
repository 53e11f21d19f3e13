import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LabError } from './lab-error.ts';

/** Disks, the agent's channel, and the power button; the file systems are built in. */
export const guestModules = ['virtio_pci', 'virtio_blk', 'virtio_console', 'button', 'evdev'];

/** File names and `depends=` say `virtio-rng` or `virtio_rng`, the kernel `virtio_rng`. */
const moduleName = (path: string) => basename(path, '.ko').replaceAll('-', '_');

/**
 * The names of the modules that a kernel module needs. Its ELF section `.modinfo` is a row of
 * NUL-ended `key=value` strings, of which `depends=` is one, so a plain scan finds it.
 */
export function moduleDependencies(image: Buffer): string[] {
  const at = image.indexOf('\0depends=', 0, 'latin1');
  if (at < 0) return [];
  const start = at + '\0depends='.length;
  const list = image.toString('latin1', start, image.indexOf(0, start));
  return list
    .split(',')
    .filter(name => name !== '')
    .map(moduleName);
}

/** Names and dependencies in an order in which each module comes after those it needs. */
export function loadOrder(
  names: readonly string[],
  dependenciesOf: (name: string) => readonly string[],
): string[] {
  const ordered: string[] = [];
  const visit = (name: string, above: readonly string[]) => {
    if (ordered.includes(name)) return;
    if (above.includes(name)) throw new LabError(`kernel modules in a circle: ${above.join(' ')}`);
    for (const needed of dependenciesOf(name)) visit(needed, [...above, name]);
    ordered.push(name);
  };
  for (const name of names) visit(name, []);
  return ordered;
}

/**
 * The modules of a kernel tree (`/lib/modules/VERSION`) that the guest loads, in load order.
 * Throws LabError if one is not there, or is compressed.
 */
export async function findModules(
  tree: string,
  names: readonly string[],
): Promise<{ readonly name: string; readonly image: Buffer }[]> {
  const files = await readdir(tree, { recursive: true });
  const paths = new Map(
    files.filter(file => file.endsWith('.ko')).map(file => [moduleName(file), join(tree, file)]),
  );
  const images = new Map<string, Buffer>();
  const load = async (name: string): Promise<void> => {
    if (images.has(name)) return;
    const path = paths.get(name);
    if (path === undefined)
      throw new LabError(`the kernel's package holds no module ${name}.ko (of Debian 12's layout)`);
    const image = await readFile(path);
    images.set(name, image);
    for (const needed of moduleDependencies(image)) await load(needed);
  };
  for (const name of names) await load(name);
  const order = loadOrder(names, name => moduleDependencies(images.get(name)!));
  return order.map(name => ({ name, image: images.get(name)! }));
}
