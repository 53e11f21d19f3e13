import { describe, expect, test } from 'vitest';
import { machineOf, startArgv } from '../../src/toolstacks/qemu/argv.ts';
import { digestOf } from '../../src/toolstacks/qemu/device-digest.ts';
import { QemuDomainConfig } from '../../src/toolstacks/qemu/domain-config.ts';
import { overlayNode } from '../../src/toolstacks/qemu/node-names.ts';
import { readReport, reportPath, sinkUri, sourceUri } from '../../src/toolstacks/qemu/sink.ts';

const config = QemuDomainConfig.parse({
  name: 'web1',
  binary: '/opt/qemu-system-x86_64',
  arguments: ['-M', 'q35', '-m', '64'],
  disks: [{ device: 'vda', path: '/vm/a.qcow2', format: 'qcow2' }],
  monitor: '/vm/a,b.sock',
  agent: '/vm/agent.sock',
});
const head = (path: string) => [{ device: 'vda', volume: { path, format: 'qcow2' } }];
const options = {
  heads: head('/vm/a.qcow2'),
  paused: false,
  incoming: false,
  pidFile: '/home/run/web1.pid',
  isBlockDevice: () => false,
};

describe('the arguments of a start', () => {
  test('name the format and the protocol of each head, and escape commas', () => {
    expect(startArgv(config, options)).toEqual([
      ...['/opt/qemu-system-x86_64', '-M', 'q35', '-m', '64'],
      ...['-name', 'web1', '-pidfile', '/home/run/web1.pid'],
      ...['-chardev', 'socket,id=domsnap-monitor,path=/vm/a,,b.sock,server=on,wait=off'],
      ...['-mon', 'chardev=domsnap-monitor,mode=control'],
      ...['-chardev', 'socket,id=domsnap-agent,path=/vm/agent.sock,server=on,wait=off'],
      ...['-device', 'virtio-serial,id=domsnap-serial'],
      ...['-device', 'virtserialport,chardev=domsnap-agent,name=org.qemu.guest_agent.0'],
      '-blockdev',
      '{"driver":"qcow2","node-name":"vda","file":{"driver":"file","filename":"/vm/a.qcow2","locking":"on"}}',
      ...['-device', 'virtio-blk-pci,drive=vda,id=vda'],
    ]);
  });

  test('hold the guest for saved memory', () => {
    const argv = startArgv(config, { ...options, incoming: true });
    expect(argv.slice(-3)).toEqual(['-S', '-incoming', 'defer']);
  });

  test('open a volume of the host by the driver for devices', () => {
    const argv = startArgv(config, { ...options, isBlockDevice: () => true });
    expect(argv.join(' ')).toContain('"driver":"host_device"');
  });

  test('are refused without a head for each disk', () => {
    expect(() => startArgv(config, { ...options, heads: [] })).toThrow(/no image is given/);
  });
});

describe('the digest of a machine', () => {
  const digest = (change: Partial<typeof options>, other = config) =>
    digestOf(startArgv(other, { ...options, ...change }));
  const first = digest({});

  test('is the same on other heads, for saved memory, and under another name', () => {
    expect(digest({ heads: head('/vm/other.qcow2') })).toBe(first);
    expect(digest({ incoming: true, paused: true })).toBe(first);
    expect(digest({}, { ...config, name: 'web2', monitor: '/vm/m.sock' })).toBe(first);
  });

  test('is another for another machine, another disk, another program or another order', () => {
    const others = [
      { ...config, arguments: ['-M', 'q35', '-m', '65'] },
      { ...config, disks: [{ ...config.disks[0]!, attach: 'virtio-blk-pci,serial=x' }] },
      { ...config, binary: '/opt/qemu-system-aarch64' },
      { ...config, arguments: ['-m', '64', '-M', 'q35'] },
      { ...config, agent: undefined },
    ].map(other => digest({}, other));
    expect(new Set([first, ...others]).size).toBe(6);
  });

  test('takes a long dash for a short one, and nothing of where things lie', () => {
    const argv = ['/usr/bin/qemu', '--device', 'x', '-drive', 'if=ide,file=/a,,b,format=raw', '-S'];
    expect(machineOf(argv)).toEqual(['qemu', '-device', 'x', '-drive', 'if=ide,,format=raw']);
  });
});

describe('names and shell words', () => {
  test('the node of an overlay is well formed, short, and the same for the same file', () => {
    const name = overlayNode('a-very-long-device-1', '/vm/o.qcow2');
    expect(name).toMatch(/^[A-Za-z][A-Za-z0-9._-]{0,30}$/);
    expect(overlayNode('a-very-long-device-1', '/vm/o.qcow2')).toBe(name);
    expect(overlayNode('a-very-long-device-1', '/vm/p.qcow2')).not.toBe(name);
  });

  test('a path is one word for the shell, whatever it holds', () => {
    const path = "/vm/it's $HOME;`x`\n|y";
    const word = "'/vm/it'\\''s $HOME;`x`\n|y'";
    expect(sourceUri(path)).toBe(`exec:cat -- ${word}; echo`);
    expect(sinkUri(path)).toContain(`tee -- ${word} ||`);
    expect(sinkUri(path)).toContain(`3>>'/vm/it'\\''s $HOME;\`x\`\n|y.report'`);
  });

  test('where there is no report, nothing was begun', () => {
    expect(reportPath('/nowhere/m')).toBe('/nowhere/m.report');
    expect(readReport('/nowhere/m')).toEqual({ state: 'none' });
  });
});
