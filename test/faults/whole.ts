import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { Snapshot, Volume } from '../../src/catalog/model.ts';
import { recover } from '../../src/operations/recover.ts';
import { freeContext } from '../../src/operations/session.ts';
import { TRASH } from '../../src/storages/trash.ts';
import { sha256File } from '../../src/tools/file-facts.ts';
import { run } from '../../src/tools/run.ts';
import type { RunState } from '../../src/toolstacks/port.ts';
import { DOMAIN, type FaultHost, quiet } from './host.ts';

/**
 * I1, I3 to I7 of `faults.md`, on the real domain and its files (I2 needs a guest with file systems, I8 one
 * that counts: `test/lab`). `waiting`: an operation waits for a person, and only I1 and I3 hold.
 */
export async function assertWhole(
  host: FaultHost,
  { runState, waiting = false }: { runState: RunState; waiting?: boolean },
): Promise<void> {
  const { session } = host;
  const domain = session.catalog.domain(DOMAIN)!;
  const toolstack = await session.openToolstack(domain);
  try {
    const view = await toolstack.inspect(freeContext(), { agent: false });
    expect(view.runState, 'I1: the run state').toBe(runState);
    await contentsStand(host);
    if (waiting) return;
    for (const { device, head } of domain.disks) {
      const byHeaders = await pathsOf(host, head);
      if (runState === 'off') continue;
      const live = view.disks.find(disk => disk.device === device)?.chain ?? [];
      expect(
        live.map(({ path }) => path),
        `I4: the running chain of ${device}`,
      ).toEqual(byHeaders);
    }
    expect(view.jobs, 'I6: block jobs').toEqual([]);
  } finally {
    await toolstack.close();
  }
  await filesAreOwned(host);
  const open = session.journal.operations({ status: ['open', 'needsAttention'] });
  expect(open, 'I6: open operations').toEqual([]);
  expect(await recover(session, undefined), 'I7: there was something to recover').toEqual([]);
  expect(session.journal.verify().faults).toEqual([]);
}

/** I3: what a usable snapshot held when it was first seen, it holds. */
export async function contentsStand(host: FaultHost): Promise<void> {
  const usable = host.session.catalog.snapshots(DOMAIN).filter(({ state }) => state === 'usable');
  for (const snapshot of usable) {
    const key = `${snapshot.name} of ${snapshot.operation}`;
    const before = host.proofs.get(key);
    const files = await looksOf(host, snapshot);
    // What nobody has written to since holds what it held.
    if (before?.files === files) continue;
    const content = await digestOf(host, snapshot);
    expect(content, `I3: ${snapshot.name} has another content`).toBe(before?.content ?? content);
    host.proofs.set(key, { content, files });
  }
}

/** Which files a snapshot stands on, and when each was written to last. */
async function looksOf(host: FaultHost, { disks, memory }: Snapshot): Promise<string> {
  const paths = memory ? [memory.path] : [];
  for (const { mode, image } of disks) {
    if (mode !== 'none') paths.push(...(await pathsOf(host, image)));
  }
  const looks = paths.map(path => {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${path} ${ino} ${size} ${mtimeNs}`;
  });
  return looks.join('\n');
}

async function digestOf(host: FaultHost, { disks, memory }: Snapshot): Promise<string> {
  const parts: string[] = [];
  for (const { device, mode, image, tag } of disks) {
    if (mode !== 'none') parts.push(`${device} ${await contentOf(host, image, tag)}`);
  }
  if (memory) {
    const now = await sha256File(memory.path, quiet.log);
    expect(now, `I3: the memory ${memory.path}`).toBe(memory.sha256);
    parts.push(now);
  }
  return parts.join(', ');
}

/** The digest of all that a guest would read of an image, or of a tag in it. */
export async function contentOf(
  { folder }: Pick<FaultHost, 'folder'>,
  { path, format }: Volume,
  tag?: string,
): Promise<string> {
  const work = mkdtempSync(join(folder, 'content-'));
  try {
    const raw = join(work, 'raw');
    const of = tag === undefined ? [] : ['-l', `snapshot.name=${tag.replaceAll(',', ',,')}`];
    await run(['qemu-img', 'convert', '-U', ...of, '-f', format, '-O', 'raw', path, raw], quiet);
    return await sha256File(raw, quiet.log);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function pathsOf({ session }: FaultHost, volume: Volume): Promise<string[]> {
  const paths: string[] = [];
  for (let next: Volume | null = volume; next; ) {
    paths.push(next.path);
    next = (await session.images.view(next, freeContext(), true)).backing;
  }
  return paths;
}

/** I5: every file beside the images has an owner, and every record its files. */
async function filesAreOwned(host: FaultHost): Promise<void> {
  const { session } = host;
  const snapshots = session.catalog.snapshots(DOMAIN);
  const owned = new Set(snapshots.flatMap(({ memory }) => memory?.path ?? []));
  const images = [
    ...session.catalog.domain(DOMAIN)!.disks.map(({ head }) => head),
    ...snapshots.flatMap(({ disks }) =>
      disks.filter(({ mode }) => mode !== 'none').map(({ image }) => image),
    ),
  ];
  for (const image of images) for (const path of await pathsOf(host, image)) owned.add(path);
  const folders = new Set([...owned].map(path => dirname(path)));
  const ours = /^(home|.*\.sock|filler|strange.*|lost\+found)$/;
  const found = [...folders].flatMap(inside =>
    readdirSync(inside)
      .map(name => join(inside, name))
      .filter(path => basename(path) !== TRASH && !ours.test(basename(path))),
  );
  expect(found.sort(), 'I5: the files beside the images').toEqual([...owned].sort());
  for (const path of owned) expect(existsSync(path), `I5: ${path}`).toBe(true);
}
