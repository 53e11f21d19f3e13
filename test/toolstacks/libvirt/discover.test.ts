import { expect, test } from 'vitest';
import { notHere } from '../../../src/toolstacks/libvirt/discover.ts';

test.each(['qemu:///system', 'qemu:///session', 'qemu+unix:///system?socket=/run/a/libvirt-sock'])(
  'the paths of %s are of this host',
  uri => expect(notHere(uri)).toBeUndefined(),
);

test.each([
  ['qemu+ssh://root@web.example/system', 'on another host (root@web.example)'],
  ['qemu+tls://web.example:16514/system', 'on another host (web.example:16514)'],
  ['qemu://web.example/system', 'on another host'],
  ['test:///default', 'QEMU driver'],
  ['lxc:///system', 'QEMU driver'],
])('those of %s are not', (uri, why) => expect(notHere(uri)).toContain(why));
