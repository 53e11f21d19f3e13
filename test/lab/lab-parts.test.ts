import { describe, expect, test } from 'vitest';
import { cpioArchive } from '../../src/lab/cpio.ts';
import { closure, parseDependencies } from '../../src/lab/debian-packages.ts';
import { loadOrder, moduleDependencies } from '../../src/lab/kernel-modules.ts';
import { labArguments } from '../../src/lab/lab-arguments.ts';
import { parseLibraryList } from '../../src/lab/shared-libraries.ts';
import { workloadScript } from '../../src/lab/workload.ts';

describe('the parts of the lab', () => {
  test('of alternatives the first is taken, virtual packages and perl are not', () => {
    const dependencies = parseDependencies(
      [
        'qemu-guest-agent',
        '  PreDepends: init-system-helpers',
        ' |Depends: libone',
        '  Depends: libother',
        '  Depends: libc6',
        '  Depends: <virtual>',
        'libone',
        '  Depends: libc6',
        'libc6',
        '  Depends: libc-base',
      ].join('\n'),
    );
    expect(closure(['qemu-guest-agent'], dependencies)).toEqual([
      'qemu-guest-agent',
      'libone',
      'libc6',
      'libc-base',
    ]);
  });

  test('a module comes after all that it needs, and a circle is refused', () => {
    const needs: Record<string, string[]> = { blk: ['ring', 'virtio'], virtio: ['ring'], ring: [] };
    expect(loadOrder(['blk', 'virtio'], name => needs[name]!)).toEqual(['ring', 'virtio', 'blk']);
    expect(() => loadOrder(['a'], name => (name === 'a' ? ['b'] : ['a']))).toThrow(/circle/);
  });

  test('what a module needs is read from its .modinfo, also if it is the first or has nothing', () => {
    const image = (text: string) => Buffer.from(`ELF\0license=GPL\0${text}name=x\0`);
    expect(moduleDependencies(image('depends=virtio,virtio_ring\0'))).toEqual([
      'virtio',
      'virtio_ring',
    ]);
    expect(moduleDependencies(image('depends=\0'))).toEqual([]);
    expect(moduleDependencies(image(''))).toEqual([]);
  });

  test('a library that no package holds is an error, not a guest without an agent', () => {
    const line = '\tlibglib-2.0.so.0 => /kit/lib/libglib-2.0.so.0 (0x00007f6a2c000000)\n';
    expect(parseLibraryList(`\tlinux-vdso.so.1 (0x00007ffe)\n${line}`)).toEqual([
      '/kit/lib/libglib-2.0.so.0',
    ]);
    expect(() => parseLibraryList(`${line}\tliburing.so.2 => not found\n`)).toThrow(/liburing/);
  });

  test('an archive holds folders before their files, aligned to four bytes', () => {
    const archive = cpioArchive([
      { path: 'bin/sh', mode: 0o755, data: Buffer.from('12345') },
      { path: 'lib64/loader', mode: 0o777, link: '/lib/loader' },
    ]);
    expect(archive.length % 4).toBe(0);
    const text = archive.toString('latin1');
    const names = ['bin\0', 'bin/sh\0', 'lib64\0', 'lib64/loader\0', 'TRAILER!!!\0'];
    const places = names.map(name => text.indexOf(name));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBe(110);
    const file = text.slice(places[1]! - 110, places[1]);
    expect(file.slice(0, 6)).toBe('070701');
    expect(file.slice(14, 22)).toBe('000081ed');
    expect(file.slice(54, 62)).toBe('00000005');
    expect((places[1]! - 110) % 4).toBe(0);
  });

  test('a comma in the folder does not end an option of QEMU', () => {
    const machine = { memoryMb: 64, accel: 'tcg', disks: [], intervalMs: 50 } as const;
    const paths = { kernel: '/k', initramfs: '/i', consoleLog: '/a,b/c', serialSocket: '/a,b/s' };
    const values = labArguments({ ...machine, ...paths });
    expect(values).toContain('file,id=lab-console,path=/a,,b/c,append=on');
    expect(values).toContain('socket,id=lab-control,path=/a,,b/s,server=on,wait=off');
    expect(values[values.indexOf('-append') + 1]).toContain('domsnap_interval=0.05');
  });

  test('the workload holds nothing that the template literal would have replaced', () => {
    expect(workloadScript).toMatch(/^#!\/bin\/busybox sh\n/);
    expect(workloadScript).not.toContain('undefined');
    expect(workloadScript).toContain("printf '%-511s\\n'");
  });
});
