import { symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { domainFile, type Place, placeWithDomain, qemuImg } from './domsnap.ts';

/** Another domain, of one disk. */
function otherFile(here: Place, name: string, path: string, format = 'qcow2'): string {
  const disks = [{ device: 'vda', path, format }];
  const file = here.path(`${name}.yaml`);
  writeFileSync(file, domainFile({ name, disks, monitor: `./${name}.sock` }));
  return file;
}

/** The image that a snapshot of web1 holds, and the head that stands on it. */
async function images(here: Place) {
  const told = (await here.json(['show', 'web1', 's1'])) as {
    snapshot: { disks: { image: { path: string } }[] };
  };
  return told.snapshot.disks[0]?.image.path ?? '';
}

test('an image that another domain’s snapshot holds is not taken for a disk to write to', async () => {
  const here = await placeWithDomain();
  expect((await here.run(['create', 'web1', 's1'])).exit).toBe(0);
  symlinkSync(await images(here), here.path('link.qcow2'));
  const { exit, stderr } = await here.run([
    'domain',
    'add',
    otherFile(here, 'web2', here.path('link.qcow2')),
  ]);
  expect(exit, stderr).toBe(3);
  expect(stderr).toContain('needed by the snapshot s1 of web1');
});

test('a domain that stands on what another one writes to is not taken in', async () => {
  const here = await placeWithDomain();
  const top = here.path('top.qcow2');
  qemuImg('create', '-q', '-f', 'qcow2', '-b', here.path('vda.qcow2'), '-F', 'qcow2', top);
  const { exit, stderr } = await here.run(['domain', 'add', otherFile(here, 'web2', top)]);
  expect(exit, stderr).toBe(3);
  expect(stderr).toContain('to which vda of web1 writes');
});

test('a snapshot on which an overlay of another domain’s snapshot stands is not deleted', async () => {
  const here = await placeWithDomain();
  expect((await here.run(['create', 'web1', 's1'])).exit).toBe(0);
  const clone = here.path('clone.qcow2');
  qemuImg('create', '-q', '-f', 'qcow2', '-b', await images(here), '-F', 'qcow2', clone);
  expect((await here.run(['domain', 'add', otherFile(here, 'web2', clone)])).exit).toBe(0);
  expect((await here.run(['create', 'web2', 'c1'])).exit).toBe(0);
  // Its head stands on nothing any more; what the snapshot holds still does.
  const told = JSON.stringify(await here.json(['domain', 'show', 'web2']));
  const [head = ''] = told.match(/[^"]*web2\.vda\.c1\.[^"]*/) ?? [];
  qemuImg('rebase', '-q', '-f', 'qcow2', '-b', '', head);
  const { exit, stderr } = await here.run(['delete', 'web1', 's1']);
  expect(exit, stderr).toBe(3);
  expect(stderr).toContain('needed by the snapshot c1 of web2');
});

test('a disk that has moved is taken up from the changed file, unless snapshots stand on it', async () => {
  const here = await placeWithDomain();
  const disks = [{ device: 'vda', path: './moved.qcow2', format: 'qcow2' }];
  const file = here.path('web1.yaml');
  qemuImg('create', '-q', '-f', 'qcow2', here.path('moved.qcow2'), '8M');
  writeFileSync(file, domainFile({ disks }));
  expect((await here.run(['domain', 'add', file])).exit).toBe(0);
  const told = JSON.stringify(await here.json(['domain', 'show', 'web1']));
  expect(told).toContain('moved.qcow2');
  expect((await here.run(['create', 'web1', 's1'])).exit).toBe(0);
  writeFileSync(
    file,
    domainFile({ disks: [{ device: 'vda', path: './vda.qcow2', format: 'qcow2' }] }),
  );
  const { exit, stderr } = await here.run(['domain', 'add', file]);
  expect(exit, stderr).toBe(2);
  expect(stderr).toContain('snapshots of web1 stand on');
});

test('a qcow2 file that is declared as raw is not taken in', async () => {
  const here = await placeWithDomain();
  qemuImg('create', '-q', '-f', 'qcow2', here.path('not-raw'), '8M');
  const file = otherFile(here, 'web2', here.path('not-raw'), 'raw');
  const { exit, stderr } = await here.run(['domain', 'add', file]);
  expect(exit, stderr).toBe(3);
  expect(stderr).toContain("write 'format: qcow2'");
});
