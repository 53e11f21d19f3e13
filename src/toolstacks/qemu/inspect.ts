import { z } from 'zod';
import type { CallContext, DomainView } from '../port.ts';
import { agentView } from './agent.ts';
import { AGENT_PORT } from './argv.ts';
import { noCaptures, probeCaptures } from './captures.ts';
import { deviceDigest, nextDigest } from './device-digest.ts';
import { liveDisksOf } from './graph.ts';
import { allJobs, blockJobOf } from './jobs.ts';
import { type QemuLife, viewBlocks } from './life.ts';
import { memoryBytes } from './memory-size.ts';
import type { Query } from './query.ts';
import { runStateOf } from './run-state.ts';

const queryPorts: Query<{ label: string; 'frontend-open': boolean }[]> = {
  command: 'query-chardev',
  schema: z.array(z.object({ label: z.string(), 'frontend-open': z.boolean() })),
};

/** Everything that a plan asks about the domain. */
export async function inspect(
  life: QemuLife,
  context: CallContext,
  askAgent: boolean,
): Promise<DomainView> {
  const { runState, rawState } = await runStateOf(life, context);
  const { monitor } = life;
  const heads = life.heads().map(({ device, head }) => ({ device, volume: head }));
  const digests = {
    deviceDigest: deviceDigest(life, heads),
    nextDeviceDigest: nextDigest(life, heads),
  };
  if (runState === 'off') {
    return {
      runState,
      rawState,
      disks: [],
      strangeDisks: [],
      configured: [],
      pulls: 'any',
      sealed: [],
      jobs: [],
      ...digests,
      memoryBytes: 0,
      captures: noCaptures('the domain is off'),
      agent: { answers: false, why: 'the domain is off' },
      version: '',
    };
  }
  const view = await viewBlocks(life, context.signal);
  return {
    runState,
    rawState,
    disks: liveDisksOf(view),
    strangeDisks: view.strangers,
    configured: [],
    pulls: 'any',
    sealed: [],
    jobs: (await allJobs(life)).map(blockJobOf),
    ...digests,
    memoryBytes: await memoryBytes(life, context.signal),
    captures: await probeCaptures(life, context.signal),
    agent: await agentOf(life, context, runState === 'running', askAgent),
    version: monitor.version(),
  };
}

async function agentOf(
  life: QemuLife,
  context: CallContext,
  running: boolean,
  asked: boolean,
): Promise<DomainView['agent']> {
  if (!running) return { answers: false, why: 'the guest stands still' };
  if (!asked) return { answers: false, why: 'it was not asked' };
  // QEMU knows at once whether anything in the guest has opened the agent's port; an agent that is
  // not there would be waited for.
  const [ports] = await life.monitor.ask([queryPorts], context.signal);
  const port = ports.find(({ label }) => label === AGENT_PORT);
  if (port?.['frontend-open'] === false) {
    return { answers: false, why: 'no agent runs in the guest' };
  }
  return agentView(life, context);
}
