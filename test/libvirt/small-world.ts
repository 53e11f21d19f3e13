import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Place, place, type Ran } from '../cli/domsnap.ts';
import { TestLibvirtd } from './daemon.ts';

/** A libvirtd of a test file's own, a folder for what its domains need, and a home of domsnap's. */
export interface SmallWorld {
  readonly folder: string;
  readonly daemon: TestLibvirtd;
  readonly here: Place;
  /** Run domsnap with that libvirtd. */
  run(...words: string[]): Promise<Ran>;
  /** End its domains, and all of it. */
  down(): Promise<void>;
}

/** Make one. `name` tells its folder from those of others. */
export async function smallWorld(name: string): Promise<SmallWorld> {
  const folder = mkdtempSync(join(tmpdir(), `domsnap-${name}-`));
  const daemon = await TestLibvirtd.start(join(folder, 'libvirt'));
  const cleanings: (() => void)[] = [];
  const here = place(clean => cleanings.push(clean));
  return {
    folder,
    daemon,
    here,
    run: (...words) => here.run([...words, '--connect', daemon.uri]),
    async down() {
      const running = await daemon.virsh('list', '--name').catch(() => '');
      for (const domain of running.split('\n').filter(one => one.trim() !== ''))
        await daemon.virsh('destroy', domain.trim()).catch(() => {});
      await daemon.close();
      for (const clean of cleanings) clean();
      rmSync(folder, { recursive: true });
    },
  };
}
