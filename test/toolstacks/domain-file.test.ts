import { describe, expect, test } from 'vitest';
import { StepError } from '../../src/engine/step.ts';
import { parseDomainFile } from '../../src/toolstacks/qemu/domain-file.ts';

const whole = `
name: web1
arguments: [-M, q35, -m, "1024", -accel, tcg]
disks:
  - { device: vda, path: ./vda.qcow2, format: qcow2 }
  - { device: sdb, path: /data/b.raw, format: raw, attach: "scsi-hd,bus=scsi0.0" }
monitor: ./qmp.sock
agent: run/agent.sock
`;

const reasonOf = (text: string): string => {
  try {
    parseDomainFile(text, '/vm');
  } catch (error) {
    expect(error).toBeInstanceOf(StepError);
    expect(error).toMatchObject({ code: 'bad-domain-file', retryable: false });
    return (error as StepError).message;
  }
  throw new Error('accepted');
};

describe('a domain file', () => {
  test('is read with its defaults, its paths meant from its own folder', () => {
    expect(parseDomainFile(whole, '/vm')).toEqual({
      name: 'web1',
      binary: 'qemu-system-x86_64',
      arguments: ['-M', 'q35', '-m', '1024', '-accel', 'tcg'],
      disks: [
        { device: 'vda', path: '/vm/vda.qcow2', format: 'qcow2', attach: 'virtio-blk-pci' },
        { device: 'sdb', path: '/data/b.raw', format: 'raw', attach: 'scsi-hd,bus=scsi0.0' },
      ],
      monitor: '/vm/qmp.sock',
      agent: '/vm/run/agent.sock',
    });
  });

  test('that is not YAML is refused', () => {
    expect(reasonOf('name: [')).toMatch(/^not YAML: /);
  });

  test('that is wrong is told what to change, in words', () => {
    const said = reasonOf('name: 5\narguments: [-m, 64]\ndisks: x\nfoo: 1\n').split('\n');
    expect(said).toEqual([
      'name: is not a text: put 5 in quotes',
      'arguments[1]: is not a text: put 64 in quotes',
      'disks: is not a list',
      'monitor: is missing; it is a text',
      'the file: has keys that mean nothing here: foo',
    ]);
    const format = reasonOf(whole.replace('format: raw', 'format: qcow3'));
    expect(format).toMatch(/^disks\[1\].format: is not one of raw, qcow2, /);
  });

  test.each([
    ['-drive', /-drive is not for a domain file/],
    ['--blockdev', /--blockdev is not for a domain file/],
    ['-hda', /arguments\[6\]: -hda/],
    ['-qmp', /-qmp/],
    ['-incoming', /-incoming/],
    ['-S', /-S/],
    ['-snapshot', /-snapshot/],
    ['-daemonize', /-daemonize/],
    ['-name', /-name/],
  ])('with the argument %s is refused, by name', (argument, reason) => {
    expect(reasonOf(whole.replace('tcg]', `tcg, ${argument}]`))).toMatch(reason);
  });

  test.each([
    ['a name that is an option', whole.replace('web1', '-web1'), /^name: /],
    ['a name with a slash', whole.replace('web1', 'a/b'), /^name: /],
    ['an unknown format', whole.replace('format: raw', 'format: luks'), /^disks\[1\]\.format: /],
    ['no format', whole.replace(', format: raw', ''), /^disks\[1\]\.format: /],
    ['a device that is no id', whole.replace('sdb', '1sdb'), /^disks\[1\]\.device: /],
    ['a device that is too long', whole.replace('sdb', 'x'.repeat(21)), /^disks\[1\]\.device: /],
    ['a device twice', whole.replace('sdb', 'vda'), /^disks: two disks have the same device/],
    ['a path twice', whole.replace('/data/b.raw', '/vm/vda.qcow2'), /same path/],
    ['a drive of its own', whole.replace('scsi0.0', 's,drive=x'), /^disks\[1\]\.attach: /],
    ['an unknown key', `${whole}\nkernel: x\n`, /kernel/],
    ['no monitor', whole.replace('monitor: ./qmp.sock', ''), /^monitor: /],
    ['no disks', 'name: a\narguments: []\ndisks: []\nmonitor: m', /^disks: /],
    ['a number as an argument', whole.replace('"1024"', '1024'), /^arguments\[3\]: /],
    ['a socket path too long', whole.replace('./qmp', `./${'q'.repeat(110)}`), /107 bytes/],
  ])('with %s is refused, by the key', (_what, text, reason) => {
    expect(reasonOf(text)).toMatch(reason);
  });
});
