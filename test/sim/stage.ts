import type { Saga } from '../../machines/saga.ts';
import type { Domain, Volume } from '../../src/catalog/model.ts';
import { planOf } from '../../src/plan/plan.ts';
import { RefusedError } from '../../src/plan/refusal.ts';
import type { Request } from '../../src/plan/request.ts';
import { survey } from '../../src/plan/survey.ts';
import { hostSteps } from '../../src/steps/index.ts';
import type { CaseInput } from '../../src/steps/input.ts';
import type { CallContext } from '../../src/toolstacks/port.ts';
import { type Drive, drive } from './drive.ts';
import { type Flow, solo } from './flow.ts';
import { Life } from './life.ts';
import { bootDomain, DOMAIN, forkHost, type SimHost, simHost } from './sim-host.ts';
import { simImages } from './sim-images.ts';
import { simToolstack } from './sim-toolstack.ts';
import type { World } from './world.ts';

/** What happens before the operation that is under test. */
export type Chapter =
  | 'boot'
  | 'boot paused'
  | 'pause'
  | 'run'
  | 'power off'
  | ((world: World) => void)
  | Omit<Request & { operation: 'create' }, 'domain'>
  | Omit<Request & { operation: 'revert' }, 'domain'>
  | Omit<Request & { operation: 'delete' }, 'domain'>;

/** An operation with its history. */
export interface Scenario {
  readonly name: string;
  /** The formats of the domain's disks, `lvm` for a logical volume; two qcow2 by default. */
  readonly formats?: readonly string[];
  readonly history: readonly Chapter[];
  /** What happens between the plan and the run. */
  readonly meanwhile?: (world: World) => void;
  /** The last chapter: what is under test. */
  readonly request: Exclude<Chapter, string | ((world: World) => void)>;
}

/** A scenario, ready to be driven. */
export interface Prepared extends Drive {
  readonly host: SimHost;
  readonly saga: Saga;
  readonly input: CaseInput;
  readonly deadlines: Readonly<Record<string, number>>;
}

/** Histories that have been lived through: chance has no part in them, so that each is lived once. */
const lived = new WeakMap<Scenario, Promise<Prepared>>();

/** A scenario's world at the moment at which its operation begins; `seed` is of what chance does then. */
export async function prepare(scenario: Scenario, seed = 1): Promise<Prepared> {
  const staged = lived.get(scenario) ?? live(scenario);
  lived.set(scenario, staged);
  const prepared = await staged;
  return { ...prepared, host: forkHost(prepared.host, seed) };
}

/** Live through a scenario's history, and plan its operation. */
async function live(scenario: Scenario): Promise<Prepared> {
  const formats = scenario.formats ?? ['qcow2', 'qcow2'];
  const disks = formats.map((format, n) => ({
    device: `vd${'abc'[n]}`,
    head: (format === 'lvm'
      ? { path: `/dev/vg0/disk${n}`, format: 'raw' }
      : { path: `/images/disk${n}`, format }) satisfies Volume,
  }));
  const host = simHost(disks);
  for (const chapter of scenario.history) await happen(host, chapter);
  const prepared = await plan(host, { ...scenario.request, domain: DOMAIN } as Request);
  scenario.meanwhile?.(host.world);
  host.world.moments = 0;
  return prepared;
}

async function happen(host: SimHost, chapter: Chapter): Promise<void> {
  const { world } = host;
  if (typeof chapter === 'function') return chapter(world);
  if (chapter === 'boot') return bootDomain(host, 'running');
  if (chapter === 'boot paused') return bootDomain(host, 'paused');
  if (chapter === 'run') return world.clock.pass(250);
  if (chapter === 'power off') {
    world.process = null;
    return;
  }
  if (chapter === 'pause') {
    if (world.process) world.process.runState = 'paused';
    return;
  }
  const prepared = await plan(host, { ...chapter, domain: DOMAIN } as Request);
  const { ending } = await drive(prepared);
  if (ending.outcome !== 'committed') {
    const why = JSON.stringify(ending.decision.context.failures);
    throw new Error(`history: ${prepared.saga.id} ended ${ending.outcome}: ${why}`);
  }
  world.clock.pass(130);
}

/** Plan a request as `domsnap` would. Throws RefusedError. */
export async function plan(
  host: SimHost,
  request: Request,
  flow: Flow = solo(host.world.clock),
): Promise<Prepared> {
  const { world, catalog } = host;
  const life = new Life(world);
  const sources = {
    toolstack: simToolstack(life),
    images: simImages(life),
    catalog,
    home: '/home',
    context: FREE,
  };
  const domain = catalog.domain(host.domain) as Domain;
  const at = world.clock.now();
  const asked = survey(sources, domain, world.clock.newId(), at, { agent: true });
  const planned = planOf(request, await flow.settle(asked));
  if (planned.refusals.length > 0) throw new RefusedError(planned.refusals);
  const { operation, saga, input, deadlines } = planned;
  return { host, saga, steps: hostSteps, operation, input, deadlines };
}

const FREE: CallContext = {
  key: 'none',
  signal: new AbortController().signal,
  log() {},
  progress() {},
};
