import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CatalogChange, Snapshot, Volume } from '../catalog/model.ts';
import type { Json } from '../engine/json.ts';
import type { Session } from '../operations/session.ts';
import { run } from '../tools/run.ts';
import { CLI } from './command.ts';
import { type Finding, series } from './findings.ts';
import { DOMAIN } from './lab-guest.ts';
import { log, say } from './say.ts';
import { smallDomain } from './small-domain.ts';

const SIZES = [10, 10_000] as const;
const LIMIT_MS = 1_000;
const COMMAND_MS = 60_000;
/** After so many snapshots in a row, somebody reverted and went another way. */
const BRANCH_EVERY = 50;

/** `list` by the size of the tree. Every snapshot has an image and a memory file that are there. */
export async function listPart(folder: string, rounds: number): Promise<Finding[]> {
  const homes: { count: number; home: string }[] = [];
  for (const count of SIZES) {
    const place = join(folder, `list-${count}`);
    const { session, home, disk } = await smallDomain(place);
    say(`list: a tree of ${count} snapshots`);
    fill(session, place, { path: disk, format: 'qcow2' }, count);
    session.close();
    homes.push({ count, home });
  }
  const walls = new Map<string, number[]>();
  for (let round = 0; round <= rounds; round += 1) {
    for (const { count, home } of homes) {
      for (const json of [false, true]) {
        const wall = await listed(home, json, count);
        const key = `${count}${json ? ' json' : ''}`;
        if (round > 0) walls.set(key, [...(walls.get(key) ?? []), wall]);
      }
    }
  }
  return SIZES.flatMap(count =>
    ['', ' json'].map(how => {
      const own = series(walls.get(`${count}${how}`) ?? []);
      return {
        part: 'list',
        memoryMb: null,
        what: `\`list bench${how ? ' --json' : ''}\` of ${count} snapshots`,
        unit: 'ms' as const,
        domsnap: own,
        against: '',
        other: null,
        verdicts:
          own && count === 10_000 ? [{ limit: '< 1 s', holds: own.spread.median < LIMIT_MS }] : [],
      };
    }),
  );
}

async function listed(home: string, json: boolean, count: number): Promise<number> {
  const argv = [process.execPath, CLI, 'list', DOMAIN, '--home', home] as const;
  const startedMs = performance.now();
  const { stdout } = await run(json ? [...argv, '--json'] : argv, { timeoutMs: COMMAND_MS, log });
  const wallMs = performance.now() - startedMs;
  const found = stdout.match(/snap-\d+(?=\D)/g) ?? [];
  if (new Set(found).size < count) throw new Error(`list shows ${found.length} of ${count}`);
  return wallMs;
}

/** A trunk with branches, written through the journal as operations write it. */
function fill(session: Session, folder: string, head: Volume, count: number): void {
  const { catalog, journal, clock } = session;
  const files = join(folder, 'files');
  mkdirSync(files);
  const nowMs = clock.now();
  journal.note(() => {
    for (let n = 0; n < count; n += 1) {
      const snapshot = nth(n, files, head, nowMs - (count - n) * 60_000);
      catalog.apply({ catalog: 'snapshot', snapshot } satisfies CatalogChange as Json);
    }
    const current = nameOf(count - 1);
    catalog.apply({ catalog: 'current', domain: DOMAIN, current } satisfies CatalogChange as Json);
  });
}

const nameOf = (n: number): string => `snap-${n}`;

function nth(n: number, files: string, head: Volume, createdAt: number): Snapshot {
  const image = { path: join(files, `${n}.qcow2`), format: head.format };
  const memory = join(files, `${n}.memory`);
  for (const path of [image.path, memory]) writeFileSync(path, '');
  const parent = n === 0 ? null : nameOf(n % BRANCH_EVERY === 0 ? n - BRANCH_EVERY / 2 : n - 1);
  return {
    operation: `bench${n}`,
    domain: DOMAIN,
    name: nameOf(n),
    parent: n < BRANCH_EVERY / 2 && n > 0 ? nameOf(n - 1) : parent,
    createdAt,
    kind: 'snapshot',
    state: 'usable',
    description: `the ${n}th`,
    consistency: 'memory',
    why: '',
    disks: [{ device: 'vda', mode: 'external', image }],
    memory: {
      path: memory,
      bytes: 1 << 28,
      sha256: '0'.repeat(64),
      deviceDigest: '0'.repeat(64),
      runState: 'running',
      capture: 'background',
    },
  };
}
