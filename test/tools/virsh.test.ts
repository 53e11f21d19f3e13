import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ToolCall } from '../../src/tools/call-log.ts';
import { type PipeEnd, Virsh } from '../../src/tools/virsh.ts';

// Libvirt's own test driver: a whole libvirt in the memory of one virsh, with one domain.
const TEST = 'test:///default';

describe('a virsh that stays', () => {
  let virsh: Virsh;
  const calls: ToolCall[] = [];

  beforeEach(() => {
    calls.length = 0;
    virsh = new Virsh({ connect: TEST, log: call => calls.push(call) });
  });
  afterEach(() => virsh.close());

  test('answers many calls by one process: what one has changed, the next one sees', async () => {
    expect((await virsh.call(['domstate', 'test'], {})).trim()).toBe('running');
    await virsh.call(['suspend', 'test'], {});
    expect((await virsh.call(['domstate', 'test'], {})).trim()).toBe('paused');
  });

  test('calls at once wait for each other, and each has its own answer', async () => {
    const words = ['one', 'two', 'three'];
    const answers = await Promise.all(words.map(word => virsh.call(['echo', word], {})));
    expect(answers.map(answer => answer.trim())).toEqual(words);
  });

  test('a word comes through as it is, however long, quoted, or like an answer of its own', async () => {
    const odd = [
      `{"a": "b \\"c\\" '${'x'.repeat(500)}'"}`,
      'back\\slash and "quotes" and \'more\'',
      'virsh # ',
      '-- ; list',
      'ünï¢ode',
    ];
    for (const word of odd) {
      // `echo` gives the words back that virsh has understood.
      expect((await virsh.call(['echo', '--', word], {})).replace(/\n$/, '')).toBe(word);
    }
  });

  test('a control character is refused, and nothing is sent', async () => {
    for (const word of ['a\nlist', 'a\tb', 'a\u0007']) {
      const refused = virsh.call(['echo', word], {});
      await expect(refused).rejects.toMatchObject({ code: 'refused' });
    }
    expect((await virsh.call(['echo', 'still there'], {})).trim()).toBe('still there');
  });

  test('a failure carries what virsh says, and the next call is answered', async () => {
    const failed = virsh.call(['domstate', 'no such domain'], {});
    await expect(failed).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringContaining("failed to get domain 'no such domain'"),
    });
    expect((await virsh.call(['domstate', 'test'], {})).trim()).toBe('running');
    // Whether it is unknown, or its daemon gone, the list of all domains has told.
    expect(calls.map(({ exit }) => exit)).toEqual(['refused', 'ok', 'ok']);
  });

  test('no answer in time closes it, and the next call has a new one', async () => {
    await virsh.call(['suspend', 'test'], {});
    const late = virsh.call(['event', '--all', '--loop'], { deadlineMs: 100 });
    await expect(late).rejects.toMatchObject({ code: 'timeout' });
    // The test driver lives in the process that is gone.
    expect((await virsh.call(['domstate', 'test'], {})).trim()).toBe('running');
  });

  test('a call that is called off is', async () => {
    const abort = new AbortController();
    const call = virsh.call(['event', '--all', '--loop'], { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(call).rejects.toMatchObject({ code: 'aborted' });
  });

  test('a libvirt that is not there has heard nothing', async () => {
    const nobody = new Virsh({
      connect: 'qemu+unix:///system?socket=/nowhere/libvirt-sock',
      log: () => {},
    });
    await expect(nobody.call(['list'], {})).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('failed to connect'),
    });
    nobody.close();
  });

  test('one that holds a pipe is followed by no other, whose pipe nobody would read', async () => {
    const ends: PipeEnd[] = [];
    const holder = new Virsh({ connect: TEST, log: () => {}, piped: end => ends.push(end) });
    await holder.call(['domstate', 'test'], {});
    const late = holder.call(['event', '--all', '--loop'], { deadlineMs: 100 });
    await expect(late).rejects.toMatchObject({ code: 'timeout' });
    await expect(holder.call(['list'], {})).rejects.toMatchObject({ code: 'closed' });
    expect(ends).toHaveLength(1);
    for (const end of ends) end.destroy();
    holder.close();
  });
});
