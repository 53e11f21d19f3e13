import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseDomainFile } from '../../src/toolstacks/qemu/domain-file.ts';
import { byteOf, faultHost, headOf, names, operate, start, writeBoth } from '../faults/host.ts';
import { assertWhole } from '../faults/whole.ts';

/** Names that a shell, an option parser, a path, JSON or a terminal could take for something else. */
const NAMES = [
  '$(touch pwned)',
  "'; touch pwned; '",
  'a"b}]',
  'a,b=c,backing.file.filename=x',
  'json:{"driver":"null-co"}',
  '%s%n%d',
  '*?[a-z]{1,2}',
  'ünïcödé 名前 🦊',
  '__proto__',
];

describe('hostile names of snapshots', () => {
  test('go through creates, reverts and deletes, off, as names and as nothing else', async () => {
    const host = await faultHost();
    for (const [n, name] of NAMES.entries()) {
      await writeBoth(host, n + 1);
      const disk = { vda: n % 2 === 1 ? 'internal' : 'external', vdb: 'external' } as const;
      await operate(host, { operation: 'create', name, disk });
    }
    expect(names(host)).toEqual(NAMES);
    await operate(host, { operation: 'revert', name: NAMES[0]! });
    expect(await byteOf(headOf(host, 'vda'))).toBe(1);
    // Its image has become a base: it is copied out by its tag.
    await operate(host, { operation: 'revert', name: 'a,b=c,backing.file.filename=x' });
    expect(await byteOf(headOf(host, 'vda'))).toBe(4);
    await assertWhole(host, { runState: 'off' });
    for (const { name } of [...host.session.catalog.snapshots('web1')].reverse()) {
      await operate(host, { operation: 'delete', name });
    }
    await assertWhole(host, { runState: 'off' });
    expect(existsSync('pwned')).toBe(false);
    const plain = /^[A-Za-z0-9._-]+$/;
    expect(readdirSync(host.folder).filter(name => !plain.test(name))).toEqual([]);
  }, 60_000);
});

describe('hostile names of folders', () => {
  test('memory goes through the shell of QEMU to a folder whose name is a command', async () => {
    const evil = `it's $(touch pwned) "a,b" \`touch pwned\`; touch pwned #&|`;
    const probe = await faultHost();
    const imageFolder = join(probe.folder, evil);
    mkdirSync(imageFolder, { mode: 0o700 });
    const host = await faultHost({ imageFolder });
    await start(host);
    await writeBoth(host, 1);
    await operate(host, { operation: 'create', name: 's1' });
    await writeBoth(host, 2);
    await operate(host, { operation: 'create', name: 's2', memory: 'none' });
    await assertWhole(host, { runState: 'running' });
    await operate(host, { operation: 'revert', name: 's1' });
    await assertWhole(host, { runState: 'running' });
    expect(dirname(headOf(host, 'vda').path)).toBe(imageFolder);
    for (const { name } of [...host.session.catalog.snapshots('web1')]) {
      await operate(host, { operation: 'delete', name });
    }
    await assertWhole(host, { runState: 'running' });
    for (const folder of ['.', probe.folder, host.folder, imageFolder, '/']) {
      expect(existsSync(join(folder, 'pwned')), folder).toBe(false);
    }
  });

  test('a folder that is moved away is missed, and no other is taken for it', async () => {
    const host = await faultHost();
    renameSync(join(host.folder, 'vda.qcow2'), join(host.folder, 'strange'));
    await expect(start(host)).rejects.toThrow('vda.qcow2 is not there');
  });
});

describe('a hostile domain file is refused', () => {
  const good = {
    name: 'web1',
    arguments: [] as string[],
    disks: [{ device: 'vda', path: './a.qcow2', format: 'qcow2' }],
    monitor: './qmp.sock',
  };
  const disk = (change: object) => ({ ...good, disks: [{ ...good.disks[0], ...change }] });
  test('a good one is taken', () => {
    expect(parseDomainFile(stringify(good), '/vm').name).toBe('web1');
  });
  test.each<[string, string, RegExp]>([
    ['that opens out to billions', 'a: &a [x,x]\nb: &b [*a,*a]\nname: *b\n', /alias/i],
    [
      'whose key means an object’s own',
      `__proto__: {polluted: 1}\n${stringify(good)}`,
      /__proto__/,
    ],
    ['that names a key twice', `${stringify(good)}name: web2\n`, /not YAML/],
    ['that is a list', '[]', /the file: is not a set of keys/i],
    ['that is empty', '', /./],
    ['whose name is a path', stringify({ ...good, name: '../web1' }), /name/],
    ['whose name has an end of line', stringify({ ...good, name: 'web1\n' }), /name/],
    ['whose device has properties', stringify(disk({ device: 'vda,drive=x' })), /device/],
    [
      'whose device model has a drive',
      stringify(disk({ attach: 'virtio-blk-pci,drive=x' })),
      /drive/,
    ],
    ['whose device model is JSON', stringify(disk({ attach: '{"driver":"x"}' })), /device model/],
    ['whose image has an end of line', stringify(disk({ path: './a\nb' })), /control/],
    ['whose format is to be guessed', stringify(disk({ format: undefined })), /format/],
    ['whose format nobody knows', stringify(disk({ format: 'luks' })), /format/],
    ['whose binary is an option', stringify({ ...good, binary: '-S' }), /binary/],
    ['whose argument has a zero byte', stringify({ ...good, arguments: ['a\0b'] }), /zero/],
    ['that takes the process away', stringify({ ...good, arguments: ['-daemonize'] }), /daemonize/],
    ['that loads a state', stringify({ ...good, arguments: ['--loadvm', 'x'] }), /loadvm/],
    [
      'whose socket has too long a path',
      stringify({ ...good, monitor: `/${'x'.repeat(120)}` }),
      /107/,
    ],
  ])('%s', (_, text, says) => {
    expect(() => parseDomainFile(text, '/vm')).toThrow(says);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
