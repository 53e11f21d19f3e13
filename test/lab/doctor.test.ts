import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Examined, examineHost } from '../../src/operations/doctor.ts';
import { collectTrash } from '../../src/operations/gc.ts';
import { runRequest } from '../../src/operations/run-request.ts';
import { connectAgent } from '../../src/tools/guest-agent.ts';
import type { Qmp } from '../../src/tools/qmp.ts';
import {
  behindItsBack,
  counters,
  DOMAIN,
  killGuest,
  startAgain,
  tools,
  type World,
  worldDown,
  worldUp,
} from './cases/harness.ts';
import { runStateOf } from './cases/operate.ts';
import { OVERLAY } from './cases/storages.ts';

let world: World;
beforeAll(async () => {
  world = await worldUp(OVERLAY);
});
afterAll(() => worldDown(world));

const look = (fix = false, ...sure: string[]): Promise<Examined> =>
  examineHost(world.session, { domain: DOMAIN, fix, sure });
const codesOf = ({ findings }: Examined) => findings.map(({ finding }) => finding.code);
const repairsOf = ({ repaired }: Examined) =>
  repaired.map(({ report }) => `${report.caseId} ${report.outcome}`);
const headOf = (device: string): string => {
  const disks = world.session.catalog.domain(DOMAIN)?.disks ?? [];
  return disks.find(disk => disk.device === device)?.head.path ?? '';
};

test('a healthy running domain has no findings', async () => {
  expect((await look()).findings).toEqual([]);
});

test('a guest that somebody paused is let run only on a person’s word', async () => {
  await behindItsBack(world, monitor => monitor.execute(z.object({}), 'stop'));
  const found = await look(true);
  expect(codesOf(found)).toEqual(['paused-guest']);
  expect(found.repaired).toEqual([]);
  expect(found.findings[0]?.steps[0]?.commands).not.toEqual([]);
  expect(await runStateOf(world)).toBe('paused');
  const repaired = await look(true, 'paused-guest');
  expect(repairsOf(repaired)).toEqual(['repair.resume committed']);
  expect(repaired.findings).toEqual([]);
  const { mem } = await counters(world);
  await new Promise(resolve => setTimeout(resolve, 300));
  expect((await counters(world)).mem).toBeGreaterThan(mem);
});

test('file systems that somebody froze are thawed only on a person’s word', async () => {
  const path = join(world.lab.files.folder, 'agent.sock');
  const agent = await connectAgent({ path, deadlineMs: 10_000, ...tools });
  await agent.freeze();
  agent.close();
  expect(codesOf(await look(true))).toEqual(['frozen-guest']);
  const repaired = await look(true, 'frozen-guest');
  expect(repairsOf(repaired)).toEqual(['repair.thaw committed']);
  expect(repaired.findings).toEqual([]);
});

const blocks = z.array(
  z.object({
    qdev: z.string().optional(),
    inserted: z.object({ 'node-name': z.string(), file: z.string() }).optional(),
  }),
);
async function nodeOf(monitor: Qmp, path: string): Promise<string> {
  const found = await monitor.execute(blocks, 'query-block');
  const node = found.find(({ inserted }) => inserted?.file === path)?.inserted?.['node-name'];
  if (node === undefined) throw new Error(`nothing is on ${path}`);
  return node;
}

test('a snapshot that was taken behind its back becomes the recorded head, and boots', async () => {
  const before = headOf('vda');
  const overlay = join(dirname(before), 'foreign.qcow2');
  await behindItsBack(world, async monitor =>
    monitor.execute(z.object({}), 'blockdev-snapshot-sync', {
      'node-name': await nodeOf(monitor, before),
      'snapshot-file': overlay,
      'snapshot-node-name': 'foreign',
      format: 'qcow2',
    }),
  );
  const found = await look();
  expect(codesOf(found)).toEqual(['stale-head']);
  expect(headOf('vda')).toBe(before);
  const repaired = await look(true);
  expect(repairsOf(repaired)).toEqual(['repair.heads committed']);
  expect(repaired.findings).toEqual([]);
  expect(headOf('vda')).toBe(overlay);
  const { vda } = await counters(world);
  await killGuest(world);
  await startAgain(world);
  expect((await counters(world)).vda).toBeGreaterThanOrEqual(vda);
  expect((await look()).findings).toEqual([]);
});

describe('block jobs', () => {
  const begin = (job: string) =>
    behindItsBack(world, async monitor =>
      monitor.execute(z.object({}), 'block-stream', {
        'job-id': job,
        device: await nodeOf(monitor, headOf('vda')),
        speed: 1,
        'auto-finalize': false,
        'auto-dismiss': false,
      }),
    );

  test('of a closed operation of domsnap are ended', async () => {
    const { operation } = await runRequest(world.session, {
      operation: 'create',
      domain: DOMAIN,
      name: 's1',
      memory: 'none',
    });
    await begin(`domsnap-${operation}-up-vda`);
    const repaired = await look(true);
    expect(repairsOf(repaired)).toEqual(['repair.jobs committed']);
    expect(repaired.findings).toEqual([]);
  });

  test('of strangers are explained, and go on', async () => {
    await begin('backup0');
    const found = await look(true);
    expect(codesOf(found)).toEqual(['foreign-job']);
    expect(found.repaired).toEqual([]);
    await behindItsBack(world, monitor =>
      monitor.execute(z.object({}), 'job-cancel', { id: 'backup0' }),
    );
    await expect
      .poll(() =>
        behindItsBack(world, async monitor => {
          await monitor
            .execute(z.object({}), 'job-dismiss', { id: 'backup0' })
            .catch(() => undefined);
          return monitor.execute(z.array(z.unknown()), 'query-jobs');
        }),
      )
      .toEqual([]);
  });
});

test('what a running QEMU has open stays in the trash, whatever its age', async () => {
  const { session } = world;
  const abort = AbortSignal.abort('the user');
  const request = { operation: 'create', domain: DOMAIN, name: 's9' } as const;
  const { operation, outcome } = await runRequest(session, request, { abort });
  expect(outcome).toBe('rolledBack');
  const stray = join(dirname(headOf('vdb')), `${DOMAIN}.vdb.s9.${operation}.qcow2`);
  writeFileSync(stray, 'x'.repeat(65_536));
  const repaired = await look(true);
  expect(repairsOf(repaired)).toEqual(['repair.orphans committed']);
  expect(existsSync(stray)).toBe(false);
  const all = { olderThanMs: 0, bytesMax: undefined, dryRun: false };
  const trashed = (await collectTrash(session, { ...all, dryRun: true })).verdicts.find(
    ({ file }) => file.from === stray,
  );
  expect(trashed).toMatchObject({ verdict: 'purge', domain: DOMAIN });
  const path = join(
    trashed?.file.folder ?? '',
    trashed?.file.operation ?? '',
    trashed?.file.name ?? '',
  );
  await behindItsBack(world, monitor =>
    monitor.execute(z.object({}), 'blockdev-add', {
      driver: 'file',
      'node-name': 'reader',
      filename: path,
      'read-only': true,
    }),
  );
  const kept = (await collectTrash(session, all)).verdicts.find(({ file }) => file.from === stray);
  expect(kept).toMatchObject({ verdict: 'keep', why: expect.stringMatching(/^process \d+/) });
  expect(existsSync(path)).toBe(true);
  await behindItsBack(world, monitor =>
    monitor.execute(z.object({}), 'blockdev-del', { 'node-name': 'reader' }),
  );
  const { report } = await collectTrash(session, all);
  expect(report?.outcome).toBe('committed');
  expect(existsSync(path)).toBe(false);
});
