import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/engine/system-clock.ts';
import { processStartTicks } from '../../src/tools/process.ts';
import { connectQmp } from '../../src/tools/qmp.ts';
import { run } from '../../src/tools/run.ts';
import type { DomainDeed, Toolstack } from '../../src/toolstacks/port.ts';
import { overlayNode } from '../../src/toolstacks/qemu/node-names.ts';
import { qemuToolstack } from '../../src/toolstacks/qemu/toolstack.ts';
import { overlaysOver, started } from './conformance.ts';
import { callContext, stepErrorOf } from './context.ts';
import { type QemuWorld, qemuWorld } from './qemu-world.ts';

const options = { log: () => {}, timeoutMs: 20_000 };

async function runningWorld(extra: readonly string[] = []) {
  const world = await qemuWorld(extra);
  const toolstack = world.toolstack();
  await started(world, toolstack);
  return { world, toolstack };
}

const stranger = (world: QemuWorld, change: Partial<QemuWorld['config']>) =>
  qemuToolstack(
    { ...world.config, ...change },
    { home: join(world.folder, 'home2'), clock: systemClock, heads: () => [] },
  );

test('merges that are called off leave no image open that nothing uses', async () => {
  const { world, toolstack } = await runningWorld();
  const overlays = await overlaysOver(world, world.heads, 'unused');
  await toolstack.perform({ do: 'attachOverlays', key: 'k', overlays }, callContext());
  const { path } = overlays[0]!.volume;
  const names = async () => JSON.stringify(await world.tell('query-named-block-nodes'));
  expect(await names()).toContain(path);
  await toolstack.perform({ do: 'cancelMerges', jobs: [] }, callContext());
  expect(await names()).not.toContain(path);
});

describe('whose monitor it is', () => {
  test('a monitor that greets and hangs up is no domain that is off', async () => {
    const world = await qemuWorld();
    const monitor = world.path('rude.sock');
    const version = { qemu: { micro: 0, minor: 2, major: 7 }, package: '' };
    const greeting = `${JSON.stringify({ QMP: { version, capabilities: [] } })}\r\n`;
    const rude = createServer(socket => socket.end(greeting)).listen(monitor);
    onTestFinished(() => void rude.close());
    const asked = stranger(world, { monitor }).runState(callContext());
    expect((await stepErrorOf(asked)).code).not.toBe('off');
  });

  test('the monitor of a domain with another name, or other disks, is refused', async () => {
    const { world, toolstack } = await runningWorld();
    await toolstack.close();
    const [vda] = world.config.disks;
    for (const change of [
      { name: 'web2' },
      { disks: [vda!, { ...vda!, device: 'vdz', path: '/vdz' }] },
    ]) {
      const other = stranger(world, change);
      expect(await stepErrorOf(other.runState(callContext()))).toMatchObject({
        code: 'foreign-monitor',
        retryable: false,
      });
      await other.close();
    }
  });

  test('a monitor that another client holds is busy, which is not off', async () => {
    const { world, toolstack } = await runningWorld();
    await toolstack.close();
    const path = world.config.monitor;
    const holder = await connectQmp({ path, deadlineMs: 5_000, log: options.log });
    onTestFinished(() => holder.close());
    expect((await stepErrorOf(toolstack.runState(callContext()))).code).toBe('monitor-busy');
  });

  test('a domain that runs behind a lost monitor is not taken to be off', async () => {
    const { world, toolstack } = await runningWorld();
    await toolstack.close();
    unlinkSync(world.config.monitor);
    expect((await stepErrorOf(toolstack.runState(callContext()))).code).toBe('monitor-lost');
    await world.kill();
    expect(await toolstack.runState(callContext())).toBe('off');
  });

  test('a migration that somebody else began is a state in which nothing may be begun', async () => {
    const { world, toolstack } = await runningWorld();
    await world.tell('migrate-set-parameters', { 'max-bandwidth': 1 });
    await world.tell('migrate', { uri: 'exec:sleep 3' });
    expect(await toolstack.runState(callContext())).toBe('other');
  });
});

describe('what cannot be started', () => {
  test('an image whose header does not name the format of its base', async () => {
    const world = await qemuWorld();
    const [vda, vdb] = world.heads;
    const path = world.path('nameless.qcow2');
    // qemu-img refuses to make such an image, but old ones lie about: blank the name's length.
    await world.createOverlay({ path, format: 'qcow2' }, vda.volume);
    await run(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-b', '', path], options);
    const made = ['qemu-img', 'amend', '-f', 'qcow2', '-o', 'compat=0.10', path] as const;
    await run(made, options);
    writeBackingName(path, vda.volume.path);
    const heads = [{ device: 'vda', volume: { path, format: 'qcow2' } }, vdb];
    const toolstack = world.toolstack();
    const start = toolstack.perform({ do: 'start', heads, paused: false }, callContext());
    expect((await stepErrorOf(start)).message).toMatch(/does not name the format/);
    expect(await toolstack.runState(callContext())).toBe('off');
  });

  test('arguments that QEMU does not take come back in its own words', async () => {
    const world = await qemuWorld(['-no-such-option']);
    const start = world
      .toolstack()
      .perform({ do: 'start', heads: world.heads, paused: false }, callContext());
    expect(await stepErrorOf(start)).toMatchObject({
      code: 'start-failed',
      message: expect.stringMatching(/no-such-option/),
      retryable: false,
    });
  });

  test('a QEMU that ends without a word was killed: it is worth another try', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'domsnap-killed-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const binary = join(folder, 'qemu');
    writeFileSync(binary, '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
    const world = await qemuWorld([], binary);
    const start = world
      .toolstack()
      .perform({ do: 'start', heads: world.heads, paused: false }, callContext());
    expect(await stepErrorOf(start)).toMatchObject({ code: 'start-failed', retryable: true });
  });

  test.each([
    ['was cut short', (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2))],
    ['is empty', (path: string) => truncateSync(path)],
    ['is not there', (path: string) => rmSync(path)],
  ])('a memory file that %s ends QEMU, and is told at once', async (_, spoil) => {
    const { world, toolstack } = await runningWorld();
    const path = world.path('memory');
    await world.createFile(path);
    await toolstack.perform({ do: 'pause' }, callContext());
    await toolstack.perform({ do: 'beginCapture', capture: 'paused', path }, callContext());
    await toolstack.perform({ do: 'finishCapture', capture: 'paused', path }, callContext());
    const { deviceDigest } = await toolstack.inspect(callContext());
    await toolstack.perform({ do: 'stop' }, callContext());
    spoil(path);
    const memory = { path, deviceDigest };
    const load = toolstack.perform({ do: 'startFrom', heads: world.heads, memory }, callContext());
    expect((await stepErrorOf(load)).code).toBe('bad-memory');
    expect(await toolstack.runState(callContext())).toBe('off');
  });
});

describe('memory that cannot be saved', () => {
  test.each(['background', 'precopy', 'paused'] as const)(
    '%s: a full disk fails the capture, and the guest goes on',
    async capture => {
      const { world, toolstack } = await runningWorld();
      const path = world.path('memory');
      symlinkSync('/dev/full', path);
      if (capture !== 'precopy') await toolstack.perform({ do: 'pause' }, callContext());
      await toolstack.perform({ do: 'beginCapture', capture, path }, callContext());
      const finish = toolstack.perform({ do: 'finishCapture', capture, path }, callContext());
      expect((await stepErrorOf(finish)).code).toBe('capture-failed');
      await toolstack.perform({ do: 'cancelCapture', capture, path }, callContext());
      await toolstack.perform({ do: 'resume' }, callContext());
      await world.write('vda', 1, 0x11);
      expect(await toolstack.runState(callContext())).toBe('running');
    },
  );

  test('a QEMU that dies in the middle leaves no capture behind', async () => {
    const { world, toolstack } = await runningWorld();
    const path = world.path('memory');
    await world.createFile(path);
    await toolstack.perform({ do: 'beginCapture', capture: 'precopy', path }, callContext());
    await world.kill();
    const finish = toolstack.perform(
      { do: 'finishCapture', capture: 'precopy', path },
      callContext(),
    );
    expect(['off', 'capture-lost', 'monitor-closed']).toContain((await stepErrorOf(finish)).code);
    expect(await toolstack.runState(callContext())).toBe('off');
  });

  test('memory that others share is not saved in the background', async () => {
    const backend = ['-object', 'memory-backend-memfd,id=m0,size=64M,share=on'];
    const { toolstack } = await runningWorld([...backend, '-machine', 'memory-backend=m0']);
    const { captures } = await toolstack.inspect(callContext());
    const why = expect.stringMatching(/shared with other processes/);
    expect(captures.background).toMatchObject({ works: false, why });
    expect([captures.precopy.works, captures.paused.works]).toEqual([true, true]);
  });

  test('memory that is a file is not saved in the background, and QEMU agrees', async () => {
    const { folder } = await qemuWorld();
    const backend = ['-object', `memory-backend-file,id=m0,size=64M,mem-path=${folder}`];
    const { toolstack } = await runningWorld([...backend, '-machine', 'memory-backend=m0']);
    const { captures } = await toolstack.inspect(callContext());
    expect(captures.background).toMatchObject({ works: false, why: expect.stringMatching(/file/) });
    const prepare = { do: 'prepareCapture', capture: 'background' } as const;
    expect((await stepErrorOf(toolstack.perform(prepare, callContext()))).code).toBe('refused');
  });

  test('a process in which a background capture went wrong is not asked for another', async () => {
    const { world, toolstack } = await runningWorld();
    const [pid, notes] = [world.pid(), join(world.folder, 'home/run/web1.json')];
    const burnt = { process: { pid, startTicks: processStartTicks(pid) }, why: 'it hung' };
    writeFileSync(notes, JSON.stringify({ burnt }));
    const { captures } = await toolstack.inspect(callContext());
    expect(captures.background).toEqual({ works: false, why: 'it hung' });
    const prepare = { do: 'prepareCapture', capture: 'background' } as const;
    const refused = await stepErrorOf(toolstack.perform(prepare, callContext()));
    expect(refused.code).toBe('background-burnt');
    await toolstack.perform({ do: 'stop' }, callContext());
    await started(world, toolstack);
    expect((await toolstack.inspect(callContext())).captures.background.works).toBe(true);
  });

  test('a background capture that is called off as it begins leaves the way to the next one open', async () => {
    const { world, toolstack } = await runningWorld();
    const capture = 'background';
    const path = world.path('memory');
    await world.createFile(path);
    await toolstack.perform({ do: 'pause' }, callContext());
    const asked = new AbortController();
    const begin = toolstack.perform(
      { do: 'beginCapture', capture, path },
      {
        ...callContext({ signal: asked.signal }),
        log: ({ command }) => {
          if (JSON.stringify(command).includes('"migrate"')) asked.abort();
        },
      },
    );
    await stepErrorOf(begin);
    await toolstack.perform({ do: 'cancelCapture', capture, path }, callContext());
    await toolstack.perform({ do: 'resume' }, callContext());
    expect((await toolstack.inspect(callContext())).captures.background.works).toBe(true);
    await toolstack.perform({ do: 'pause' }, callContext());
    await toolstack.perform({ do: 'beginCapture', capture, path }, callContext());
    await toolstack.perform({ do: 'finishCapture', capture, path }, callContext());
    expect(await toolstack.runState(callContext())).toBe('running');
  });

  test('a disk whose format QEMU cannot migrate rules every capture out', async () => {
    const world = await qemuWorld();
    const path = world.path('vdb.vmdk');
    await run(['qemu-img', 'create', '-q', '-f', 'vmdk', path, '16M'], options);
    const heads = [world.heads[0], { device: 'vdb', volume: { path, format: 'vmdk' } }];
    const toolstack = world.toolstack();
    await toolstack.perform({ do: 'start', heads, paused: false }, callContext());
    const { captures } = await toolstack.inspect(callContext());
    for (const { works, why } of Object.values(captures)) {
      expect(works).toBe(false);
      expect(why).toMatch(/vmdk format .* does not support live migration/);
    }
  });
});

describe('jobs without space', () => {
  test.runIf(process.getuid?.() === 0)(
    'a merge that finds the disk full says so, and goes on when there is space',
    async () => {
      const world = await qemuWorld();
      const small = world.path('small');
      mkdirSync(small);
      await run(['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small], options);
      onTestFinished(async () => {
        await world.kill();
        await run(['umount', small], options);
      });
      const toolstack = world.toolstack();
      await started(world, toolstack);
      for (let block = 0; block < 64; block += 1) await world.write('vda', block, 0x11);
      const volume = { path: join(small, 'o.qcow2'), format: 'qcow2' };
      const external = [{ device: 'vda', volume }];
      await world.createOverlay(volume, world.heads[0].volume);
      await toolstack.perform(
        { do: 'attachOverlays', key: 'k', overlays: external },
        callContext(),
      );
      await toolstack.perform({ do: 'snapshotDisks', external, internal: [] }, callContext());
      const merges = [{ job: 'domsnap-up', device: 'vda', top: volume, base: null }];
      const merge = () => toolstack.perform({ do: 'mergeUp', merges }, callContext());
      expect(await stepErrorOf(merge())).toMatchObject({ code: 'no-space', retryable: true });
      await run(['mount', '-o', 'remount,size=32m', small], options);
      await merge();
      await world.kill();
      expect(await world.readImage(volume, 63)).toBe(0x11);
    },
  );
});

describe('a stream that has ended, and that nobody has dismissed', () => {
  const withEnded = async (job: string, ending: 'job-finalize' | 'job-cancel') => {
    const { world, toolstack } = await runningWorld();
    const external = await overlaysOver(world, world.heads, 's1');
    await toolstack.perform({ do: 'attachOverlays', key: 'k', overlays: external }, callContext());
    await toolstack.perform({ do: 'snapshotDisks', external, internal: [] }, callContext());
    const lasting = { 'auto-finalize': false, 'auto-dismiss': false };
    const device = overlayNode('vda', external[0]!.volume.path);
    await world.tell('block-stream', { 'job-id': job, device, ...lasting });
    const is = async (status: string) => {
      while (!JSON.stringify(await world.tell('query-jobs')).includes(status)) await sleep(10);
    };
    await is('pending');
    await world.tell(ending, { id: job });
    await is('concluded');
    return { world, toolstack };
  };

  test.each(['job-finalize', 'job-cancel'] as const)(
    'by %s: the question for the images does not end QEMU',
    async ending => {
      const { world, toolstack } = await withEnded('domsnap-op-up0-vda', ending);
      const [vda] = await toolstack.liveDisks(callContext());
      expect(vda?.chain).toHaveLength(ending === 'job-finalize' ? 1 : 2);
      expect(await toolstack.runState(callContext())).toBe('running');
      expect(await world.tell('query-jobs')).toEqual([]);
    },
  );

  test('of somebody else: the question is not asked before he has', async () => {
    const { world, toolstack } = await withEnded('another', 'job-finalize');
    const error = await stepErrorOf(toolstack.liveDisks(callContext()));
    expect(error).toMatchObject({
      code: 'stream-ending',
      message: expect.stringContaining('another'),
    });
    await world.tell('job-dismiss', { id: 'another' });
    expect(await toolstack.liveDisks(callContext())).toHaveLength(2);
  });
});

describe('what a plan shows', () => {
  test('is what is done', async () => {
    const { world, toolstack } = await runningWorld();
    const external = await overlaysOver(world, world.heads, 's1');
    const path = world.path('memory');
    await world.createFile(path);
    const merges = external.map(({ device, volume }, index) => ({
      ...{ job: `domsnap-${device}`, device, top: volume },
      base: world.heads[index]!.volume,
    }));
    const internal = [{ device: 'vda', tag: 't1' }];
    await expectShown(toolstack, { do: 'snapshotDisks', external: [], internal });
    await expectShown(toolstack, { do: 'dropTags', internal });
    await expectShown(toolstack, { do: 'attachOverlays', key: 'k', overlays: external });
    await expectShown(toolstack, { do: 'prepareCapture', capture: 'precopy' });
    await expectShown(toolstack, { do: 'beginCapture', capture: 'precopy', path });
    await expectShown(toolstack, { do: 'snapshotDisks', external, internal: [] });
    await expectShown(toolstack, { do: 'finishCapture', capture: 'precopy', path });
    await toolstack.perform({ do: 'resume' }, callContext());
    await toolstack.liveDisks(callContext());
    await expectShown(toolstack, { do: 'mergeDown', merges }, ['job-finalize', 'job-dismiss']);
    await expectShown(toolstack, { do: 'pause' });
    await expectShown(toolstack, { do: 'resume' });
    await expectShown(toolstack, { do: 'stop' });
  });
});

async function expectShown(
  toolstack: Toolstack,
  deed: DomainDeed,
  except: readonly string[] = [],
): Promise<void> {
  const shown = toolstack.preview(deed).map(({ command }) => command);
  const context = callContext();
  await toolstack.perform(deed, context);
  const done = context.calls.filter(({ tool }) => tool === 'qmp').map(({ command }) => command);
  const bare = (commands: readonly unknown[]) =>
    commands.flatMap(command => {
      const { execute, arguments: args = {} } = command as { execute: string; arguments?: object };
      return except.includes(execute) ? [] : [{ execute, arguments: args }];
    });
  expect(bare(done)).toEqual(bare(shown));
}

/** Gives a version 2 header a backing file, without the extension that names its format. */
function writeBackingName(path: string, backing: string): void {
  const name = Buffer.from(backing);
  const pointer = Buffer.alloc(12);
  pointer.writeBigUInt64BE(512n, 0);
  pointer.writeUInt32BE(name.length, 8);
  const file = openSync(path, 'r+');
  // qcow2 specification: offset and size of the backing file's name are at byte 8 of the header.
  writeSync(file, pointer, 0, pointer.length, 8);
  writeSync(file, name, 0, name.length, 512);
  closeSync(file);
}
