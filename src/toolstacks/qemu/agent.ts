import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import { connectAgent, type GuestAgent } from '../../tools/guest-agent.ts';
import { ToolError } from '../../tools/tool-error.ts';
import type { CallContext } from '../port.ts';
import { forgetFreeze, noteFreeze, unlessTold } from './freeze-note.ts';
import type { QemuLife } from './life.ts';

/** An agent that lives answers at once; one that is not there never does. */
const SYNC_MS = 3_000;
/** Flushing a guest's file systems takes as long as its disks do. */
const COMMAND_MS = 60_000;

/** Freeze all file systems of the guest. Throws `no-agent` where nothing was sent, by no earlier life either. */
export async function freeze(life: QemuLife, context: CallContext): Promise<Json> {
  try {
    return await withAgent(life, context, async agent => {
      // An earlier life froze and did not learn how many: only a fresh freeze says.
      if ((await agent.fsfreezeStatus()) === 'frozen') await agent.thaw();
      noteFreeze(life);
      return { filesystems: await agent.freeze(undefined, limitsOf(context)) };
    });
  } catch (error) {
    throw unlessTold(life, error);
  }
}

/** Thaw them. None are thawed where none are frozen. */
export async function thaw(life: QemuLife, context: CallContext): Promise<Json> {
  const filesystems = await withAgent(life, context, agent => agent.thaw(limitsOf(context)));
  forgetFreeze(life);
  return { filesystems };
}

/** Whether the guest's file systems are frozen, by its own word. */
export async function frozen(life: QemuLife, context: CallContext): Promise<boolean> {
  return withAgent(
    life,
    context,
    async agent => (await agent.fsfreezeStatus(limitsOf(context))) === 'frozen',
  );
}

/** Whether the agent answers, and can freeze; why not, else. */
export async function agentView(
  life: QemuLife,
  context: CallContext,
): Promise<{ answers: boolean; why: string }> {
  try {
    const { version, enabledCommands } = await withAgent(life, context, agent => agent.info());
    const canFreeze = enabledCommands.includes('guest-fsfreeze-freeze');
    return canFreeze
      ? { answers: true, why: `qemu-guest-agent ${version}` }
      : { answers: false, why: 'the agent does not allow guest-fsfreeze-freeze' };
  } catch (error) {
    if (error instanceof ToolError || error instanceof StepError) {
      return { answers: false, why: error.message };
    }
    throw error;
  }
}

const limitsOf = ({ signal }: CallContext) => ({ deadlineMs: COMMAND_MS, signal });

async function withAgent<T>(
  { config }: QemuLife,
  { log, signal }: CallContext,
  work: (agent: GuestAgent) => Promise<T>,
): Promise<T> {
  const { agent: path } = config;
  if (path === undefined) {
    const message = `the domain ${config.name} has no agent socket in its domain file`;
    throw new StepError('no-agent', message, { retryable: false });
  }
  const agent = await connectAgent({ path, deadlineMs: SYNC_MS, log, signal }).catch(error => {
    if (!(error instanceof ToolError) || error.code === 'aborted') throw error;
    const message = `the guest's agent does not answer: ${error.message}`;
    throw new StepError('no-agent', message, { cause: error });
  });
  try {
    return await work(agent);
  } finally {
    agent.close();
  }
}
