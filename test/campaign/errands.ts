import { stopDomain } from '../../src/operations/domains.ts';
import { type Report, runRequest } from '../../src/operations/run-request.ts';
import type { Request } from '../../src/plan/request.ts';
import { Notes } from '../../src/toolstacks/qemu/notes.ts';
import { processOf } from '../../src/toolstacks/qemu/process.ts';
import { DOMAIN, guestPid, startAgain, type World } from '../lab/cases/harness.ts';
import { runStateOf } from '../lab/cases/operate.ts';

/** One case, and how a user comes to it. */
export interface Errand {
  /** The case's id without its ending: `create.live.background`. */
  readonly case: string;
  /** Make the tree in which the command is this case; answers the command's words. */
  prepare(world: World, round: number): Promise<readonly string[]>;
  /** How the domain may stand after the command is done. */
  readonly after: 'running' | 'off';
  /** How it stood before. */
  readonly before: 'running' | 'off';
}

/** A snapshot with memory, if there is one. */
const CHECKPOINT = 'checkpoint';

/** All of them: thirty cases by the two endings of a storage. */
export const ERRANDS: readonly Errand[] = [
  create('live.background', 'live'),
  create('live.precopy', 'live'),
  create('live.paused', 'paused'),
  create('live.disk-only', 'none'),
  create('offline.disk-only', 'none'),
  revert('live', true),
  revert('live', false),
  revert('offline', true),
  revert('offline', false),
  ...(['live', 'offline'] as const).flatMap(state => [
    remove(state, 'standalone'),
    remove(state, 'chain'),
    remove(state, 'children'),
  ]),
];

type State = 'live' | 'offline';

function create(of: string, memory: 'live' | 'paused' | 'none'): Errand {
  const live = of.startsWith('live');
  const state = live ? 'running' : 'off';
  return {
    case: `create.${of}`,
    before: state,
    after: state,
    async prepare(world, round) {
      await bring(world, live ? 'live' : 'offline');
      await thinOut(world);
      banBackground(world, of === 'live.precopy');
      const { disks, disk = {} } = world.storage.create;
      const modes = Object.entries(disk).flatMap(([device, mode]) => [
        '--disk',
        `${device}=${mode}`,
      ]);
      const how = disks ? ['--disks', disks] : modes;
      return ['create', DOMAIN, `r${round}`, '--memory', memory, ...how];
    },
  };
}

function revert(state: State, withMemory: boolean): Errand {
  const name = withMemory ? CHECKPOINT : 'disks';
  return {
    case: `revert.${state}.${withMemory ? 'memory' : 'disk-only'}`,
    before: state === 'live' ? 'running' : 'off',
    after: state === 'live' || withMemory ? 'running' : 'off',
    async prepare(world) {
      await thinOut(world);
      const isThere = () => world.session.catalog.snapshot(DOMAIN, name) !== undefined;
      // Memory is there to be saved while the guest runs; whoever boots it may have saved it.
      if (withMemory && !isThere()) await bring(world, 'live');
      if (withMemory && !isThere()) await make(world, name, 'live');
      await bring(world, state);
      if (!isThere()) await make(world, name, 'none');
      return ['revert', DOMAIN, name];
    },
  };
}

function remove(state: State, place: 'standalone' | 'chain' | 'children'): Errand {
  const stands = state === 'live' ? 'running' : 'off';
  return {
    case: `delete.${state}.${place}`,
    before: stands,
    after: stands,
    async prepare(world, round) {
      if (place !== 'standalone') await thinOut(world);
      await bring(world, state);
      if (place === 'standalone') await sweep(world);
      const name = `d${round}`;
      if (place !== 'standalone') await make(world, `${name}-above`, 'none');
      await make(world, name, 'none');
      if (place !== 'standalone') await make(world, `${name}-below`, 'none');
      return ['delete', DOMAIN, name, ...(place === 'children' ? ['--children'] : [])];
    },
  };
}

const hasCheckpoint = ({ session }: World): boolean =>
  session.catalog.snapshot(DOMAIN, CHECKPOINT)?.state === 'usable';

/** Few enough that every content can be read again after each kill. */
const MOST = 6;

async function thinOut(world: World): Promise<void> {
  const { catalog } = world.session;
  if (catalog.snapshots(DOMAIN).length > MOST) await sweep(world, CHECKPOINT);
}

/** Delete all snapshots, or all but one, newest first. */
export async function sweep(world: World, kept?: string): Promise<void> {
  for (;;) {
    const all = world.session.catalog.snapshots(DOMAIN).map(({ name }) => name);
    const name = all.filter(one => one !== kept).at(-1);
    if (name === undefined) return;
    await done(world, { operation: 'delete', domain: DOMAIN, name });
  }
}

const make = (world: World, name: string, memory: 'live' | 'none'): Promise<Report> =>
  done(world, { operation: 'create', domain: DOMAIN, name, memory, ...world.storage.create });

async function done(world: World, request: Request): Promise<Report> {
  const report = await runRequest(world.session, request);
  if (report.outcome === 'committed') return report;
  throw new Error(`${report.caseId} of the stage: ${JSON.stringify(report.failures)}`);
}

/** Have the domain run, or off. */
export async function bring(world: World, state: State): Promise<void> {
  const now = await runStateOf(world);
  if (state === 'live' && now === 'off') {
    // To load a checkpoint takes a tenth of a boot: whoever has booted makes one for the next.
    if (hasCheckpoint(world)) {
      await done(world, { operation: 'revert', domain: DOMAIN, name: CHECKPOINT });
    } else {
      await startAgain(world);
      await make(world, CHECKPOINT, 'live');
    }
  }
  if (state === 'offline' && now !== 'off') await stopDomain(world.session, DOMAIN, {});
}

/** As on a host whose kernel cannot write-protect memory: live memory is saved by pre-copy. */
function banBackground(world: World, banned: boolean): void {
  const { session, keeper } = world;
  const notes = new Notes(session.home, keeper.notesOf(world));
  const process = processOf(guestPid(world));
  const why = 'the campaign measures the other way';
  notes.write({ burnt: banned && process ? { process, why } : undefined });
}
