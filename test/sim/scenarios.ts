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
import { BLOCKS } from './image-store.ts';
import { Life } from './life.ts';
import { bootDomain, DOMAIN, type SimHost, simHost } from './sim-host.ts';
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
  /** The formats of the domain's disks; two qcow2 by default. */
  readonly formats?: readonly string[];
  readonly history: readonly Chapter[];
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

/** Live through a scenario's history, and plan its operation. */
export async function prepare(scenario: Scenario, seed = 1): Promise<Prepared> {
  const formats = scenario.formats ?? ['qcow2', 'qcow2'];
  const disks = formats.map((format, n) => ({
    device: `vd${'abc'[n]}`,
    head: { path: `/images/disk${n}`, format } satisfies Volume,
  }));
  const host = simHost(disks, seed);
  for (const chapter of scenario.history) await happen(host, chapter);
  const prepared = await plan(host, { ...scenario.request, domain: DOMAIN } as Request);
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
export async function plan(host: SimHost, request: Request): Promise<Prepared> {
  const { world, catalog } = host;
  const life = new Life(world);
  const sources = {
    toolstack: simToolstack(life),
    images: simImages(life),
    catalog,
    context: FREE,
  };
  const domain = catalog.domain(DOMAIN) as Domain;
  const at = world.clock.now();
  const asked = survey(sources, domain, world.clock.newId(), at, { agent: true });
  const planned = planOf(request, await world.clock.settle(asked));
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

const create = (name: string, more: object = {}) => ({
  operation: 'create' as const,
  name,
  ...more,
});
const revert = (name: string, more: object = {}) => ({
  operation: 'revert' as const,
  name,
  ...more,
});
const remove = (name: string, more: object = {}) => ({
  operation: 'delete' as const,
  name,
  ...more,
});

const external = { disks: 'external' as const };
const internal = { disks: 'internal' as const };
const mixed = { disk: { vda: 'internal' as const, vdb: 'external' as const } };
const diskOnly = { memory: 'none' as const };
const onlyPrecopy = (world: World) => {
  world.captures.background = false;
};
const noAgent = (world: World) => {
  world.agent = false;
};
/** The guest rewrites a whole disk: then merging up costs more than merging down. */
const fills = (world: World) => {
  for (const device of world.process?.heads.keys() ?? []) {
    for (let block = 1; block < BLOCKS; block += 1) {
      world.guestWrites(device, block, 9_000 + block);
    }
  }
};

/** Every case, some in several ways. The name begins with the id of the case. */
export const SCENARIOS: readonly Scenario[] = [
  ...[
    { id: 'background', before: [], more: {} },
    { id: 'precopy', before: [onlyPrecopy], more: {} },
    { id: 'paused', before: [], more: { memory: 'paused' as const } },
  ].flatMap(({ id, before, more }) => [
    {
      name: `create.live.${id}.external`,
      history: ['boot' as const, ...before],
      request: create('s1', { ...external, ...more }),
    },
    {
      name: `create.live.${id}.external, mixed disks`,
      history: ['boot' as const, ...before],
      request: create('s1', { ...mixed, ...more }),
    },
    {
      name: `create.live.${id}.internal`,
      history: ['boot' as const, ...before],
      request: create('s1', { ...internal, ...more }),
    },
  ]),
  {
    name: 'create.live.paused.external, of a paused domain',
    history: ['boot paused'],
    request: create('s1', external),
  },
  {
    name: 'create.live.disk-only.external',
    history: ['boot'],
    request: create('s1', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, raw disks',
    formats: ['raw', 'qcow2'],
    history: ['boot'],
    request: create('s1', { ...external, ...diskOnly, quiesce: 'require' }),
  },
  {
    name: 'create.live.disk-only.external, no agent',
    history: ['boot', noAgent],
    request: create('s1', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, of a paused domain',
    history: ['boot paused'],
    request: create('s1', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, mixed disks',
    history: ['boot'],
    request: create('s1', { ...mixed, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.external, the second',
    history: ['boot', create('s1', diskOnly)],
    request: create('s2', { ...external, ...diskOnly }),
  },
  {
    name: 'create.live.disk-only.internal',
    history: ['boot'],
    request: create('s1', { ...internal, ...diskOnly }),
  },
  {
    name: 'create.offline.disk-only.external',
    history: [],
    request: create('s1', external),
  },
  {
    name: 'create.offline.disk-only.external, mixed disks',
    history: [],
    request: create('s1', mixed),
  },
  {
    name: 'create.offline.disk-only.internal',
    history: [],
    request: create('s1', internal),
  },
  ...(['external', 'internal'] as const).flatMap(disks => [
    {
      name: `revert.live.memory.${disks}`,
      history: ['boot' as const, create('s1', { disks }), 'run' as const],
      request: revert('s1'),
    },
    {
      name: `revert.live.memory.${disks}, to stand still`,
      history: ['boot' as const, create('s1', { disks }), 'run' as const],
      request: revert('s1', { runAfter: 'paused' }),
    },
    {
      name: `revert.live.disk-only.${disks}`,
      history: ['boot' as const, create('s1', { disks, ...diskOnly }), 'run' as const],
      request: revert('s1'),
    },
    {
      name: `revert.live.disk-only.${disks}, to off`,
      history: ['boot' as const, create('s1', { disks, ...diskOnly }), 'run' as const],
      request: revert('s1', { runAfter: 'off' }),
    },
    {
      name: `revert.offline.memory.${disks}`,
      history: ['boot' as const, create('s1', { disks }), 'run' as const, 'power off' as const],
      request: revert('s1'),
    },
    {
      name: `revert.offline.disk-only.${disks}`,
      history: [
        'boot' as const,
        create('s1', { disks, ...diskOnly }),
        'run' as const,
        'power off' as const,
      ],
      request: revert('s1'),
    },
  ]),
  {
    name: 'revert.offline.disk-only.internal, and run',
    history: ['boot', create('s1', { ...internal, ...diskOnly }), 'run', 'power off'],
    request: revert('s1', { runAfter: 'running' }),
  },
  {
    name: 'revert.live.disk-only.internal, out of a base',
    history: [
      'boot',
      create('s1', { ...internal, ...diskOnly }),
      'run',
      create('s2', { ...external, ...diskOnly }),
      'run',
    ],
    request: revert('s1'),
  },
  {
    name: 'revert.live.memory.external, mixed disks',
    history: ['boot', create('s1', mixed), 'run'],
    request: revert('s1'),
  },
  {
    name: 'revert.live.disk-only.external, back to where it came from',
    history: [
      'boot',
      create('s1', diskOnly),
      'run',
      create('s2', diskOnly),
      'run',
      revert('s1'),
      'run',
    ],
    request: revert('s2'),
  },
  ...(['live', 'offline'] as const).flatMap(state => {
    const off: Chapter[] = state === 'offline' ? ['power off'] : [];
    const one = (more: object) => create('s1', { ...diskOnly, ...more });
    return [
      {
        name: `delete.${state}.standalone.external, upward`,
        history: ['boot' as const, one(external), 'run' as const, fills, ...off],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.standalone.external, downward`,
        history: ['boot' as const, fills, one(external), ...off],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.standalone.internal`,
        history: ['boot' as const, one(internal), 'run' as const, ...off],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.standalone.external, with memory`,
        history: ['boot' as const, create('s1', external), 'run' as const, ...off],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.chain.external, the middle one`,
        history: [
          'boot' as const,
          one(external),
          'run' as const,
          create('s2', diskOnly),
          'run' as const,
          create('s3', diskOnly),
          'run' as const,
          ...off,
        ],
        request: remove('s2'),
      },
      {
        name: `delete.${state}.chain.external, the middle one downward`,
        history: [
          'boot' as const,
          one(external),
          fills,
          create('s2', diskOnly),
          create('s3', diskOnly),
          'run' as const,
          ...off,
        ],
        request: remove('s2'),
      },
      {
        name: `delete.${state}.chain.external, the root`,
        history: [
          'boot' as const,
          fills,
          one(external),
          create('s2', diskOnly),
          'run' as const,
          ...off,
        ],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.chain.external, mixed disks`,
        history: [
          'boot' as const,
          one(mixed),
          'run' as const,
          create('s2', { ...diskOnly, ...external }),
          'run' as const,
          ...off,
        ],
        request: remove('s2'),
      },
      {
        name: `delete.${state}.chain.external, with two branches`,
        history: [
          'boot' as const,
          one(external),
          'run' as const,
          create('s2', diskOnly),
          'run' as const,
          revert('s1'),
          'run' as const,
          ...off,
        ],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.chain.internal`,
        history: [
          'boot' as const,
          one(internal),
          'run' as const,
          create('s2', { ...diskOnly, ...internal }),
          'run' as const,
          ...off,
        ],
        request: remove('s1'),
      },
      {
        name: `delete.${state}.children.external`,
        history: [
          'boot' as const,
          one(external),
          'run' as const,
          create('s2', diskOnly),
          'run' as const,
          create('s3', diskOnly),
          'run' as const,
          ...off,
        ],
        request: remove('s2', { extent: 'children' }),
      },
      {
        name: `delete.${state}.children.external, the children only`,
        history: [
          'boot' as const,
          one(external),
          fills,
          create('s2', diskOnly),
          'run' as const,
          create('s3', diskOnly),
          ...off,
        ],
        request: remove('s1', { extent: 'children-only' }),
      },
      {
        name: `delete.${state}.children.internal`,
        history: [
          'boot' as const,
          one(internal),
          'run' as const,
          create('s2', { ...diskOnly, ...internal }),
          'run' as const,
          ...off,
        ],
        request: remove('s1', { extent: 'children' }),
      },
    ];
  }),
];
