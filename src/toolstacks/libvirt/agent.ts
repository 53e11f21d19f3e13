import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import { fileSystemCount, freezeStatus, guestInfo } from '../../tools/guest-agent.ts';
import type { CallContext, DomainView } from '../port.ts';
import { forgetFreeze, noteFreeze, unlessTold } from '../qemu/freeze-note.ts';
import type { LibvirtLife } from './life.ts';

const AGENT_SECONDS = '5';

const answer = z.lazy(() => z.object({ return: z.unknown() }));

/** Freeze all file systems of the guest; an earlier life's freeze is ended first, for only a fresh one counts. */
export async function freeze(life: LibvirtLife, context: CallContext): Promise<Json> {
  try {
    if (await frozen(life, context)) await thaw(life, context);
    noteFreeze(life);
    return { filesystems: counted(await agent(() => life.libvirt.verb('domfsfreeze'), context)) };
  } catch (error) {
    throw unlessTold(life, error);
  }
}

/** Thaw them. None are thawed where none are frozen. */
export async function thaw(life: LibvirtLife, context: CallContext): Promise<Json> {
  const filesystems = counted(await agent(() => life.libvirt.verb('domfsthaw'), context));
  forgetFreeze(life);
  return { filesystems };
}

/** Whether the guest's file systems are frozen, by its own word. */
export async function frozen(life: LibvirtLife, context: CallContext): Promise<boolean> {
  const said = freezeStatus.safeParse(await ask(life, 'guest-fsfreeze-status', context));
  if (!said.success) throw distrusted('guest-fsfreeze-status');
  return said.data === 'frozen';
}

/** Whether the agent answers, and can freeze; why not, else. */
export async function agentView(
  life: LibvirtLife,
  context: CallContext,
): Promise<DomainView['agent']> {
  try {
    const said = guestInfo.safeParse(await ask(life, 'guest-info', context));
    if (!said.success) throw distrusted('guest-info');
    const { version, supported_commands: all } = said.data;
    const canFreeze = all.some(({ name, enabled }) => enabled && name === 'guest-fsfreeze-freeze');
    return canFreeze
      ? { answers: true, why: `qemu-guest-agent ${version}` }
      : { answers: false, why: 'the agent does not allow guest-fsfreeze-freeze' };
  } catch (error) {
    if (error instanceof StepError) return { answers: false, why: error.message };
    throw error;
  }
}

async function ask(life: LibvirtLife, command: string, context: CallContext): Promise<unknown> {
  const line = JSON.stringify({ execute: command });
  const words = ['--timeout', AGENT_SECONDS, '--cmd', line];
  const text = await agent(() => life.libvirt.verb('qemu-agent-command', ...words), context);
  try {
    return answer.parse(JSON.parse(text)).return;
  } catch {
    throw distrusted(command);
  }
}

/** `Froze 1 filesystem(s)`, `Thawed 1 filesystem(s)`. */
function counted(text: string): number {
  const said = fileSystemCount.safeParse(Number(/(\d+) filesystem/.exec(text)?.[1]));
  if (!said.success) throw distrusted('guest-fsfreeze-freeze');
  return said.data;
}

/** A libvirtd that was started anew takes a moment to find the agents of the guests that run. */
const BACK_MS = 8_000;
const AGAIN_MS = 250;

async function agent<T>(call: () => Promise<T>, { again, signal }: CallContext): Promise<T> {
  for (let leftMs = again ? BACK_MS : 0; ; leftMs -= AGAIN_MS) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StepError) || error.code !== 'refused') throw error;
      if (leftMs <= 0 || signal.aborted || !/agent is not/i.test(error.message)) {
        throw new StepError('no-agent', `the guest's agent does not answer: ${error.message}`, {
          cause: error,
        });
      }
    }
    await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

const distrusted = (command: string): StepError =>
  new StepError('agent-distrusted', `the agent's answer to ${command} is not one`);
