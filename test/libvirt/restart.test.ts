import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Libvirt } from '../../src/toolstacks/libvirt/libvirt.ts';
import { passedSink } from '../../src/toolstacks/libvirt/memory-sink.ts';
import { PassthroughMonitor } from '../../src/toolstacks/libvirt/passthrough.ts';
import { NO_EFFECT } from '../../src/toolstacks/port.ts';
import { callContext, stepErrorOf } from '../toolstacks/context.ts';
import { TestLibvirtd } from './daemon.ts';

const XML = `<domain type='qemu'><name>quiet</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>`;

let folder: string;
let daemon: TestLibvirtd;
let libvirt: Libvirt;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'domsnap-restart-'));
  daemon = await TestLibvirtd.start(join(folder, 'libvirt'));
  const path = join(folder, 'quiet.xml');
  writeFileSync(path, XML);
  await daemon.virsh('define', path);
  const uuid = await daemon.virsh('domuuid', 'quiet');
  libvirt = new Libvirt({ name: 'quiet', uuid, connect: daemon.uri });
}, 60_000);

afterAll(async () => {
  libvirt?.close();
  await daemon?.close();
  rmSync(folder, { recursive: true });
});

const timeout = 60_000;
const inAnEffect = () => libvirt.use(callContext());

test('what virsh says of a connection that came back is no error of the next call', {
  timeout,
}, async () => {
  inAnEffect();
  expect(await libvirt.state()).toBe('shut off');
  daemon.kill();
  await daemon.ensure();
  expect(await libvirt.verb('domstate')).toContain('shut off');
});

test('an operation waits for a libvirtd that is about to come back', { timeout }, async () => {
  inAnEffect();
  daemon.kill();
  const asked = libvirt.verb('dominfo');
  await sleep(500);
  await daemon.ensure();
  expect(await asked).toContain('shut off');
});

test('a question whose answer died with libvirtd is put again', { timeout }, async () => {
  inAnEffect();
  await libvirt.state();
  process.kill(daemon.pid ?? 0, 'SIGSTOP');
  const asked = libvirt.state();
  await sleep(300);
  daemon.kill();
  await daemon.ensure();
  expect(await asked).toBe('shut off');
});

test('a command whose answer died with libvirtd is not: nobody knows what it did', {
  timeout,
}, async () => {
  inAnEffect();
  await libvirt.state();
  process.kill(daemon.pid ?? 0, 'SIGSTOP');
  const told = stepErrorOf(libvirt.call('define', join(folder, 'quiet.xml')));
  await sleep(300);
  daemon.kill();
  expect(await told).toMatchObject({ code: 'no-libvirt', retryable: true });
  await daemon.ensure();
});

test('a plan does not wait for a libvirtd that is not there', { timeout }, async () => {
  libvirt.use({ ...callContext(), key: NO_EFFECT });
  daemon.kill();
  const told = await stepErrorOf(libvirt.state());
  expect(told).toMatchObject({ code: 'no-libvirt' });
  expect(told.message).toContain('connect');
  await daemon.ensure();
});

test('a pipe that QEMU was given for its memory, and that no migration took up, is taken back', {
  timeout,
}, async () => {
  inAnEffect();
  await daemon.virsh('start', 'quiet');
  const sink = passedSink(libvirt, join(folder, 'home'));
  const path = join(folder, 'memory');
  writeFileSync(path, '');
  await sink.open(path, callContext());
  await daemon.ensure();
  expect(sink.roots(path, null)).not.toEqual([]);
  const monitor = new PassthroughMonitor(libvirt);
  await sink.abandon?.(monitor, AbortSignal.timeout(10_000));
  await expect.poll(() => sink.roots(path, null), { timeout: 10_000 }).toEqual([]);
  // Where there is none, there is nothing to be done.
  await sink.abandon?.(monitor, AbortSignal.timeout(10_000));
  await daemon.virsh('destroy', 'quiet');
});
