import type { Saga } from '../../machines/saga.ts';
import type { Ending, Engine } from '../../src/engine/run.ts';
import * as theEngine from '../../src/engine/run.ts';
import type { Steps } from '../../src/engine/step.ts';
import type { Host } from '../../src/steps/host.ts';
import { type Flow, solo } from './flow.ts';
import { Life, SimulatedCrash } from './life.ts';
import { type SimHost, WHO } from './sim-host.ts';
import { simImages } from './sim-images.ts';
import { simToolstack } from './sim-toolstack.ts';
import { witness } from './witness.ts';
import type { Fault } from './world.ts';

/** Makes the steps that a life of the engine carries out. */
export type MakeSteps = (host: Host) => Steps;

/** One operation, and the misfortunes that meet it: at their n-th moment, counted from its start. */
export interface Drive {
  readonly host: SimHost;
  readonly saga: Saga;
  readonly steps: MakeSteps;
  readonly operation: string;
  readonly input: unknown;
  readonly deadlines: Readonly<Record<string, number>>;
  readonly faults?: readonly Fault[];
  /** Abort at this moment. */
  readonly abortAt?: number;
  /** By default, it is alone on its clock. */
  readonly flow?: Flow;
  /** A broken one, to see that it is found out. */
  readonly engine?: Pick<typeof theEngine, 'start' | 'resume'>;
  /** The machine that each life finds; by default the one that began it. */
  readonly sagaOf?: () => Saga;
}

/** How an operation came out of it. */
export interface Driven {
  readonly ending: Ending;
  /** Engines that it took. */
  readonly lives: number;
  /** Moments that passed. */
  readonly moments: number;
}

/** More lives than any run needs: a recovery that dies of itself would go on for ever. */
const LIVES_MAX = 12;

/** Run an operation to an outcome, with as many engines as it takes. */
export async function drive(spec: Drive): Promise<Driven> {
  const { world } = spec.host;
  const from = world.moments;
  world.faults = (spec.faults ?? []).map(fault => ({ ...fault, at: fault.at + from }));
  for (let lives = 1; lives <= LIVES_MAX; lives += 1) {
    const ending = await live(spec, spec.abortAt === undefined ? undefined : spec.abortAt + from);
    if (ending) return { ending, lives, moments: world.moments - from };
  }
  throw new Error(`no outcome after ${LIVES_MAX} lives`);
}

/** Recover an operation that has come to an outcome already, or waits for a person. */
export async function recover(spec: Drive): Promise<Driven> {
  const from = spec.host.world.moments;
  for (let lives = 1; lives <= LIVES_MAX; lives += 1) {
    const ending = await live(spec, undefined);
    if (ending) return { ending, lives, moments: spec.host.world.moments - from };
  }
  throw new Error(`no outcome after ${LIVES_MAX} lives`);
}

/** One engine's life: to an outcome, or undefined where it died. */
async function live(spec: Drive, abortAt: number | undefined): Promise<Ending | undefined> {
  const { host, operation, input, flow = solo(spec.host.world.clock) } = spec;
  const { start, resume } = spec.engine ?? theEngine;
  const { world, journal, catalog, locks, oracle, power, domain } = host;
  const saga = journal.operation(operation) ? (spec.sagaOf?.() ?? spec.saga) : spec.saga;
  const life = new Life(world, power);
  const { steps, journal: watched } = witness(
    life.journal(journal),
    operation,
    spec.steps({
      toolstack: simToolstack(life),
      images: simImages(life),
      catalog,
      clock: life.clock,
    }),
    what => world.breaches.push(what),
  );
  const abort = new AbortController();
  const engine: Engine = {
    journal: watched,
    locks,
    clock: life.clock,
    who: WHO,
    failpoints: {
      hit(place) {
        // A record is written before its place is hit: what it published is looked at, come what may.
        oracle.look(domain);
        if (abortAt !== undefined && world.moments + 1 >= abortAt) abort.abort('the user');
        life.hit(place);
      },
    },
  };
  const run = { saga, steps, abort: abort.signal };
  const work = journal.operation(operation)
    ? resume(engine, run, operation)
    : start(engine, { ...run, id: operation, subject: domain, input, deadlines: spec.deadlines });
  try {
    const ending = await flow.settle(Promise.race([work, life.death]));
    // A process that leaves takes the tools along that it has told to stop.
    world.tools = world.tools.filter(({ orphan }) => orphan);
    return ending;
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
    await afterDeath(host, life, flow);
    return undefined;
  } finally {
    life.over();
  }
}

/** The world goes on without its engine; on another host it does not, and power is back later. */
async function afterDeath({ world }: SimHost, life: Life, flow: Flow): Promise<void> {
  if (life.hostDied) {
    world.domainDies();
    world.tools = [];
    return;
  }
  world.orphanTools();
  await flow.pass(world.chance.below(200));
}
