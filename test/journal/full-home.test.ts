import { expect, test } from 'vitest';
import { placeWithDomain } from '../cli/domsnap.ts';
import { inNamespace } from './small-disk.ts';

const SCRIPT = new URL('small-home.ts', import.meta.url).pathname;
const SMALL = [
  'mv "$1/home" "$1/was"',
  'mkdir "$1/home"',
  'mount -t tmpfs -o size=4m,mode=700 tmpfs "$1/home"',
  'cp -a "$1/was/." "$1/home"',
].join('; ');
const SEALED = 'mount --bind "$1/home" "$1/home"; mount -o remount,bind,ro "$1/home"';
const BALLAST_BYTES = 2 * 1024 * 1024;

async function told(story: string, setUp = SMALL): Promise<unknown> {
  const here = await placeWithDomain();
  return inNamespace(here.folder, setUp, SCRIPT, [story]);
}

const says = (text: string) => expect.stringContaining(text);

test('an operation left open in a home that is full is brought to its end, however often that is filled', async () => {
  expect(await told('recover')).toMatchObject({
    doctor: { exit: 5, stdout: says('open-operation'), ballastBytes: BALLAST_BYTES },
    recover: { exit: 0, stdout: says('snapshot s1') },
  });
});

test('a new operation there first ends the open one, and is then refused', async () => {
  expect(await told('create')).toMatchObject({
    exit: 3,
    stderr: expect.stringMatching(/publish.*no room for the journal.*was brought to its end/s),
  });
});

test('even the first lock of a home finds room for an open operation', async () => {
  expect(await told('first lock')).toMatchObject({ exit: 0, stdout: says('snapshot s1') });
});

test('what is new is refused in a home that is full, and the ballast stays whole', async () => {
  const refused = {
    exit: 3,
    stderr: expect.stringMatching(/no room for the journal.*make some megabytes of room there/s),
    ballastBytes: BALLAST_BYTES,
  };
  const listed = { exit: 0, stdout: says('web1'), ballastBytes: BALLAST_BYTES };
  expect(await told('new')).toMatchObject([listed, refused, refused]);
});

test('a home on a read-only file system can be read, and is refused for what would write', async () => {
  const [list, verify, plan, create, doctor] = (await told('read-only', SEALED)) as object[];
  expect(list).toMatchObject({ exit: 0, stdout: says('web1') });
  expect(verify).toMatchObject({ exit: 0, stdout: says('as they were written') });
  expect(plan).toMatchObject({ exit: 0 });
  expect(doctor).toMatchObject({ exit: 0, stdout: says('healthy') });
  expect(create).toMatchObject({
    exit: 3,
    stderr: expect.stringMatching(
      /its file system is read-only\n.*remount it writable; do not start its domains by hand/,
    ),
  });
  expect(JSON.stringify(create)).not.toContain('--home or');
});
