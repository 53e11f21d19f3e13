import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LibvirtLife } from './life.ts';

/** Whether libvirt keeps the domain while it is off. */
export async function isPersistent({ libvirt }: LibvirtLife): Promise<boolean> {
  if ((await libvirt.state()) === null) return false;
  return /^Persistent: +yes$/m.test(await libvirt.ask('dominfo'));
}

/** virsh reads descriptions from files only. */
export async function withFile<T>(content: string, work: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'domsnap-'));
  try {
    const path = join(folder, 'domain.xml');
    writeFileSync(path, content, { mode: 0o600 });
    return await work(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
