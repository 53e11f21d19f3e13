import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Volume } from '../../src/catalog/model.ts';
import { systemClock } from '../../src/engine/system-clock.ts';
import { hostImages } from '../../src/storages/images.ts';
import { toolLock } from '../../src/storages/locked-tool.ts';
import { BLOCKS, contextFor, type ImagesWorld, imagesConformance } from './conformance.ts';

const BLOCK_BYTES = 64 * 1024;
const tool = (program: string, ...args: string[]) =>
  execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });

async function hostWorld(): Promise<ImagesWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'domsnap-images-'));
  return {
    images: hostImages({ clock: systemClock }),
    folder,
    async makeImage({ path, format }) {
      tool('qemu-img', 'create', '-q', '-f', format, path, String(BLOCKS * BLOCK_BYTES));
    },
    async write({ path, format }, block, value) {
      const command = `write -P ${value} ${block * BLOCK_BYTES} ${BLOCK_BYTES}`;
      tool('qemu-io', '-f', format, '-c', command, path);
    },
    async read({ path, format }) {
      const out = join(folder, '.seen');
      tool('qemu-img', 'convert', '-U', '-f', format, '-O', 'raw', path, out);
      const bytes = readFileSync(out);
      rmSync(out);
      return Array.from({ length: BLOCKS }, (_, block) => {
        const part = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
        const value = part[0] ?? 0;
        return part.every(byte => byte === value) ? value : -1;
      });
    },
    async makeFile(path, text) {
      writeFileSync(path, text);
    },
    async close() {
      rmSync(folder, { recursive: true });
    },
  };
}

imagesConformance('qemu-img', hostWorld);

describe('images on this host', { timeout: 30_000 }, () => {
  let world: ImagesWorld;
  const at = (name: string, format = 'qcow2'): Volume => ({
    path: join(world.folder, name),
    format,
  });
  const context = contextFor();
  const leftovers = () => readdirSync(world.folder).filter(name => name.startsWith('.'));

  beforeEach(async () => {
    world = await hostWorld();
  });
  afterEach(() => world.close());

  test('overlays, files, trash and its manifest are for their owner’s eyes only', async () => {
    const [base, image] = [at('base', 'raw'), at('o')];
    await world.makeImage(base);
    const memory = join(world.folder, 'memory');
    await world.images.perform({ do: 'createOverlay', image, base }, context);
    await world.images.perform({ do: 'createFile', path: memory, like: base.path }, context);
    const mode = (path: string) => statSync(path).mode & 0o777;
    expect(mode(image.path)).toBe(0o600);
    expect(mode(memory)).toBe(0o600);
    await world.images.perform({ do: 'trash', path: memory, operation: 'op7' }, context);
    await world.images.perform({ do: 'trash', path: image.path, operation: 'op7' }, context);
    const folder = join(world.folder, '.domsnap-trash', 'op7');
    expect(mode(join(folder, '..'))).toBe(0o700);
    expect(mode(folder)).toBe(0o700);
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    expect(manifest.files.map(({ from }: { from: string }) => from)).toEqual([memory, image.path]);
    expect(readdirSync(folder).sort()).toEqual(['manifest.json', 'memory', 'o']);
  });

  test.each([0, 65_536, 131_072])(
    'an overlay whose making was killed after %i bytes is made again',
    async bytes => {
      const [base, image] = [at('base', 'raw'), at('o')];
      await world.makeImage(base);
      await world.write(base, 2, 9);
      // qemu-img writes the header without a base first, and names the base last.
      tool('qemu-img', 'create', '-q', '-f', 'qcow2', image.path, String(BLOCKS * BLOCK_BYTES));
      truncateSync(image.path, bytes);
      await world.images.perform({ do: 'createOverlay', image, base }, context);
      expect((await world.read(image))[2]).toBe(9);
    },
  );

  test('an overlay of zeros, as a dead host leaves it, is made again', async () => {
    const [base, image] = [at('base', 'raw'), at('o')];
    await world.makeImage(base);
    writeFileSync(image.path, Buffer.alloc(196_616));
    await world.images.perform({ do: 'createOverlay', image, base }, context);
    expect((await world.images.view(image, context)).backing).toEqual(base);
  });

  test('a raw disk in which its guest wrote a qcow2 header stays raw', async () => {
    const [secret, disk, image] = [at('secret', 'raw'), at('disk', 'raw'), at('o')];
    await world.makeImage(secret);
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', secret.path, '-F', 'raw', disk.path);
    const view = await world.images.view(disk, context);
    expect(view.backing).toBeNull();
    expect(view.tags).toEqual([]);
    await world.images.perform({ do: 'createOverlay', image, base: disk }, context);
    expect((await world.images.chain(image, context)).map(({ volume }) => volume)).toEqual([
      image,
      disk,
    ]);
  });

  test('a header that names a base without its format is not followed', async () => {
    const [base, image, top] = [at('base', 'raw'), at('o'), at('top')];
    await world.makeImage(base);
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base.path, '-F', 'raw', image.path);
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', image.path, '-F', 'qcow2', top.path);
    // qemu-img refuses to write such a header since 6.1: overwrite the format extension's type.
    const bytes = readFileSync(image.path);
    const at0xE2 = bytes.indexOf(Buffer.from([0xe2, 0x79, 0x2a, 0xca]));
    expect(at0xE2).toBeGreaterThan(0);
    bytes.write('\x00\x00\x00\x01', at0xE2, 'latin1');
    writeFileSync(image.path, bytes);
    const refused = { name: 'StepError', code: 'bad-image', retryable: false };
    await expect(world.images.view(image, context)).rejects.toMatchObject(refused);
    await expect(
      world.images.perform({ do: 'rebase', top, base: null }, context),
    ).rejects.toMatchObject(refused);
    await expect(
      world.images.perform({ do: 'createOverlay', image: at('new'), base: top }, context),
    ).rejects.toMatchObject(refused);
    expect(existsSync(at('new').path)).toBe(false);
  });

  test('a base that is named relative to its overlay is found in the overlay’s folder', async () => {
    const [base, image] = [at('base', 'raw'), at('o')];
    await world.makeImage(base);
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'raw', image.path);
    expect((await world.images.view(image, context)).backing).toEqual(base);
  });

  test('a base that is no file is refused', async () => {
    const image = at('o');
    const nbd = ['-u', '-b', 'nbd://127.0.0.1:1/x', '-F', 'raw'];
    tool('qemu-img', 'create', '-q', '-f', 'qcow2', ...nbd, image.path, '1M');
    await expect(world.images.view(image, context)).rejects.toMatchObject({ code: 'bad-image' });
  });

  test('a file of another format than its record says is a bad image', async () => {
    const image = at('o');
    writeFileSync(image.path, 'no header at all');
    await expect(world.images.view(image, context)).rejects.toMatchObject({ code: 'bad-image' });
    await expect(world.images.view({ ...image, format: 'x,y' }, context)).rejects.toMatchObject({
      code: 'bad-image',
    });
  });

  test('an image that another process has open is in use, and may still be looked at', async () => {
    const image = at('o');
    await world.makeImage(image);
    const holder = spawn('qemu-io', ['-f', 'qcow2', image.path], { stdio: 'pipe' });
    try {
      holder.stdin.write('write 0 64k\n');
      await new Promise(resolve => holder.stdout.once('data', resolve));
      const inUse = { name: 'StepError', code: 'in-use', retryable: true };
      await expect(world.images.view(image, context)).rejects.toMatchObject(inUse);
      await expect(
        world.images.perform({ do: 'tag', image, tag: 'op1' }, context),
      ).rejects.toMatchObject(inUse);
      expect((await world.images.view(image, context, true)).tags).toEqual([]);
      expect(await world.images.openedBy(image.path)).toEqual([holder.pid]);
    } finally {
      holder.stdin.end();
      await new Promise(resolve => holder.once('exit', resolve));
    }
    expect(await world.images.openedBy(image.path)).toEqual([]);
  });

  test('a tool that outlived its engine is seen at work, and waited for', async () => {
    const image = at('o');
    await world.makeImage(image);
    const argv = ['--no-fork', toolLock(image.path), 'sleep', '30'];
    const outliving = spawn('flock', argv, { stdio: 'ignore' });
    const gone = new Promise(resolve => outliving.once('exit', resolve));
    try {
      while (!(await world.images.busy(image))) await wait(10);
      const impatient = contextFor(AbortSignal.timeout(400));
      const deed = { do: 'tag', image, tag: 'op1' } as const;
      const busy = { name: 'StepError', code: 'busy', retryable: true };
      await expect(world.images.perform(deed, impatient)).rejects.toMatchObject(busy);
      let done = false;
      const patient = world.images.perform(deed, context).then(() => {
        done = true;
      });
      const seen = world.images.view(image, context);
      await wait(500);
      expect(done).toBe(false);
      outliving.kill('SIGKILL');
      await Promise.all([patient, seen]);
    } finally {
      outliving.kill('SIGKILL');
      await gone;
    }
    expect((await world.images.view(image, context)).tags).toEqual(['op1']);
    expect(await world.images.busy(image)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test('a lock file is cleared away only when no tool can be about to lock it', async () => {
    const image = at('o');
    await world.makeImage(image);
    const lock = toolLock(image.path);
    writeFileSync(lock, '');
    expect(await world.images.busy(image), 'just made').toBe(true);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(lock, longAgo, longAgo);
    const aboutTo = spawn('sh', ['-c', 'read _', 'flock', lock]);
    try {
      expect(await world.images.busy(image), 'about to be locked').toBe(true);
      expect(leftovers()).toEqual(['.o.domsnap-lock']);
    } finally {
      aboutTo.stdin.end();
      await new Promise(resolve => aboutTo.once('exit', resolve));
    }
    expect(await world.images.busy(image)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test('a commit holds the locks of both images', async () => {
    const [base, top] = [at('base'), at('top')];
    await world.makeImage(base);
    await world.images.perform({ do: 'createOverlay', image: top, base }, context);
    const argv = ['--no-fork', toolLock(base.path), 'sleep', '30'];
    const other = spawn('flock', argv, { stdio: 'ignore' });
    try {
      while (!(await world.images.busy(base))) await wait(10);
      const impatient = contextFor(AbortSignal.timeout(400));
      await expect(
        world.images.perform({ do: 'commit', top, base }, impatient),
      ).rejects.toMatchObject({ code: 'busy' });
    } finally {
      other.kill('SIGKILL');
      await new Promise(resolve => other.once('exit', resolve));
    }
  });

  test('what a killed extraction left is overwritten by the next, or goes with the trash', async () => {
    const [image, to] = [at('image'), at('to')];
    await world.makeImage(image);
    await world.write(image, 1, 3);
    await world.images.perform({ do: 'tag', image, tag: 'op1' }, context);
    const draft = join(world.folder, '.to.domsnap-draft');
    writeFileSync(draft, 'half of a copy');
    await world.images.perform({ do: 'extractTag', image, tag: 'op1', to }, context);
    expect((await world.read(to))[1]).toBe(3);
    expect(leftovers()).toEqual([]);
    writeFileSync(draft, 'half of a copy');
    await world.images.perform({ do: 'trash', path: to.path, operation: 'op1' }, context);
    expect(leftovers()).toEqual(['.domsnap-trash']);
  });

  test('a name that went to the trash twice is there twice', async () => {
    for (const text of ['first', 'second']) {
      await world.makeFile(at('f').path, text);
      await world.images.perform({ do: 'trash', path: at('f').path, operation: 'op1' }, context);
    }
    const folder = join(world.folder, '.domsnap-trash', 'op1');
    expect(readFileSync(join(folder, 'f'), 'utf8')).toBe('first');
    expect(readFileSync(join(folder, 'f.2'), 'utf8')).toBe('second');
    expect(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')).files).toHaveLength(2);
  });

  test('a file with the name of the manifest, or of the next one, is no victim of it', async () => {
    const names = ['.manifest.json.new', 'manifest.json', 'f'];
    for (const name of names) {
      await world.makeFile(at(name).path, `this is ${name}`);
      await world.images.perform({ do: 'trash', path: at(name).path, operation: 'op1' }, context);
    }
    const folder = join(world.folder, '.domsnap-trash', 'op1');
    const { files } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    const contents = files.map(({ name }: { name: string }) =>
      readFileSync(join(folder, name), 'utf8'),
    );
    expect(contents).toEqual(names.map(name => `this is ${name}`));
  });

  test('a folder without write permission is a refusal that says so', async () => {
    if (process.getuid?.() === 0) return;
    const [base, image] = [at('base'), at('o')];
    await world.makeImage(base);
    chmodSync(world.folder, 0o500);
    try {
      await expect(
        world.images.perform({ do: 'createOverlay', image, base }, context),
      ).rejects.toMatchObject({ code: 'permission' });
    } finally {
      chmodSync(world.folder, 0o700);
    }
  });
});
