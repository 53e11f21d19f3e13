import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { recover } from '../../src/operations/recover.ts';
import { runRequest } from '../../src/operations/run-request.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { draftOf } from '../../src/storages/draft.ts';
import { toolLock } from '../../src/storages/locked-tool.ts';
import { TRASH } from '../../src/storages/trash.ts';
import {
  DOMAIN,
  type FaultHost,
  faultHost,
  headOf,
  names,
  operate,
  start,
  subfolder,
  writeBoth,
} from '../faults/host.ts';
import { assertWhole } from '../faults/whole.ts';

const EMPTY = 'empty';
const FULL = 'precious';

/**
 * A second user who may write to the folder of the images lays links where domsnap is about to make
 * something. Nothing behind them is made, written, emptied, owned anew or moved.
 */
describe('links laid in the folder of the images', () => {
  let host: FaultHost;
  let elsewhere: string;
  beforeEach(async () => {
    host = await faultHost();
    elsewhere = subfolder(host, 'strange-elsewhere');
    writeFileSync(join(elsewhere, FULL), FULL, { mode: 0o644 });
    writeFileSync(join(elsewhere, EMPTY), '', { mode: 0o644 });
  });

  const untouched = () => {
    expect(readdirSync(elsewhere).sort()).toEqual([EMPTY, FULL]);
    expect(readFileSync(join(elsewhere, FULL), 'utf8')).toBe(FULL);
    expect(statSync(join(elsewhere, EMPTY)).size).toBe(0);
    for (const name of [EMPTY, FULL]) {
      expect(statSync(join(elsewhere, name)).mode & 0o777).toBe(0o644);
    }
  };
  /** To a file with content, to an empty one, to one that is not there, and to a folder. */
  const targets = [FULL, EMPTY, 'nothing', '.'] as const;
  const link = (at: string, target: string) => symlinkSync(join(elsewhere, target), at);
  const attempt = (wish: object, planned: (plan: Plan) => void) =>
    runRequest(host.session, { ...wish, domain: DOMAIN } as never, { observer: { planned } }).then(
      ({ outcome }) => outcome,
      (error: Error) => error.name,
    );
  const create = { operation: 'create', name: 's1' };

  test.each(targets)('in the place of an overlay, to %s', async target => {
    let at = '';
    const outcome = await attempt(create, ({ input }) => {
      if (input.operation === 'create') at = input.disks[1]?.overlay?.path ?? '';
      link(at, target);
    });
    expect(outcome).toBe('rolledBack');
    untouched();
    expect(names(host)).toEqual([]);
  });

  test.each(targets)('in the place of a memory file, to %s', async target => {
    await start(host);
    const outcome = await attempt(create, ({ input }) => {
      if (input.operation === 'create') link(input.memory?.path ?? '', target);
    });
    expect(outcome).toBe('rolledBack');
    untouched();
  });

  test.each(targets)('in the place of a memory file’s report, to %s', async target => {
    await start(host);
    const outcome = await attempt(create, ({ input }) => {
      if (input.operation === 'create') link(`${input.memory?.path}.report`, target);
    });
    expect(outcome).toBe('committed');
    untouched();
  });

  test.each(targets)('in the place of a tool’s lock, to %s', async target => {
    await operate(host, { operation: 'create', name: 's1' });
    await writeBoth(host, 2, { blocks: 8 });
    const outcome = await attempt({ operation: 'delete', name: 's1' }, () => {
      link(toolLock(headOf(host, 'vda').path), target);
    });
    expect(outcome).toBe('rolledBack');
    untouched();
  });

  test.each(targets)('in the place of an unfinished image, to %s', async target => {
    await operate(host, { operation: 'create', name: 's1', disk: { vda: 'internal' } });
    await operate(host, { operation: 'create', name: 's2' });
    const outcome = await attempt({ operation: 'revert', name: 's1' }, ({ input }) => {
      if (input.operation !== 'revert') return;
      const disk = input.disks.find(({ how }) => how === 'extract')!;
      link(draftOf(disk.newHead!.path), target);
    });
    expect(outcome).toBe('rolledBack');
    untouched();
  });

  test.each(['trash', 'operation', 'manifest'] as const)(
    'in the place of the %s: nothing is carried elsewhere, and it goes on when the link is gone',
    async at => {
      await operate(host, { operation: 'create', name: 's1' });
      await writeBoth(host, 2, { blocks: 8 });
      const trash = join(host.folder, TRASH);
      let laid = trash;
      const outcome = await attempt({ operation: 'delete', name: 's1' }, ({ operation }) => {
        if (at !== 'trash') mkdirSync(trash, { mode: 0o700 });
        if (at !== 'trash') laid = join(trash, operation);
        if (at === 'manifest') mkdirSync(laid, { mode: 0o700 });
        if (at === 'manifest') laid = join(laid, 'manifest.json');
        link(laid, at === 'manifest' ? FULL : '.');
      });
      expect(outcome).toBe('needsAttention');
      untouched();
      rmSync(laid);
      const [report] = await recover(host.session, undefined);
      expect(report?.outcome).toBe('committed');
      untouched();
      await assertWhole(host, { runState: 'off' });
    },
  );
});
