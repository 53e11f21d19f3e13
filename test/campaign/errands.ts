import { stopDomain } from '../../src/operations/domains.ts';
import { type Report, runRequest } from '../../src/operations/run-request.ts';
import type { Request } from '../../src/plan/request.ts';
import { Notes } from '../../src/toolstacks/qemu/notes.ts';
import { processOfPidFile } from '../../src/toolstacks/qemu/process.ts';
import { DOMAIN, startAgain, type World } from '../lab/cases/harness.ts';
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
  const name = withMemory ? 'checkpoint' : 'disks';
  return {
    case: `revert.${state}.${withMemory ? 'memory' : 'disk-only'}`,
    before: state === 'live' ? 'running' : 'off',
    after: state === 'live' || withMemory ? 'running' : 'off',
    async prepare(world) {
      await thinOut(world);
      if (!world.session.catalog.snapshot(DOMAIN, name)) {
        await bring(world, 'live');
        await make(world, name, withMemory ? 'live' : 'none');
      }
      await bring(world, state);
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
      if (place === 'standalone') await sweep(world);
      else await thinOut(world);
      await bring(world, state);
      const name = `d${round}`;
      if (place !== 'standalone') await make(world, `${name}-above`, 'none');
      await make(world, name, 'none');
      if (place !== 'standalone') await make(world, `${name}-below`, 'none');
      return ['delete', DOMAIN, name, ...(place === 'children' ? ['--children'] : [])];
    },
  };
}

/** Few enough that every content can be read again after each kill. */
const MOST = 6;

async function thinOut(world: World): Promise<void> {
  const { catalog } = world.session;
  if (catalog.snapshots(DOMAIN).length > MOST) await sweep(world);
}

/** Delete all snapshots, newest first. */
export async function sweep(world: World): Promise<void> {
  for (;;) {
    const name = world.session.catalog.snapshots(DOMAIN).at(-1)?.name;
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
  if (state === 'live' && now === 'off') await startAgain(world);
  if (state === 'offline' && now !== 'off') await stopDomain(world.session, DOMAIN, {});
}

/** As on a host whose kernel cannot write-protect memory: live memory is saved by pre-copy. */
function banBackground({ session }: World, banned: boolean): void {
  const notes = new Notes(session.home, DOMAIN);
  const process = processOfPidFile(notes.path('pid'));
  const why = 'the campaign measures the other way';
  notes.write({ burnt: banned && process ? { process, why } : undefined });
}
