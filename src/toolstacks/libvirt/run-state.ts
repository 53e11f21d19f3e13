import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext } from '../port.ts';
import { queryStatus } from '../qemu/life.ts';
import { orOff, pause as pauseByMonitor, resume as resumeByMonitor } from '../qemu/run-state.ts';
import type { LibvirtLife } from './life.ts';

/** Stop the processors, and see that they stand: whoever asks libvirt is told so too. */
export async function pause(life: LibvirtLife, context: CallContext): Promise<Json> {
  await unlessRefused(() => life.libvirt.verb('suspend'));
  const [{ status }] = await life.monitor.ask([queryStatus], context.signal);
  return status === 'paused' ? { status } : await pauseByMonitor(life, context);
}

/** Let the guest run, and see that it does: QEMU's word counts, not what libvirt remembers. */
export async function resume(life: LibvirtLife, context: CallContext): Promise<Json> {
  return await orOff(
    async () => {
      await unlessRefused(() => life.libvirt.verb('resume'));
      const [{ status, running }] = await life.monitor.ask([queryStatus], context.signal);
      return running ? { status } : await resumeByMonitor(life, context);
    },
    { status: 'off' },
  );
}

/** Libvirt refuses what it believes to be so already: what is so, QEMU knows. */
async function unlessRefused(call: () => Promise<string>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (error instanceof StepError && error.code === 'no-domain') throw asOff(error);
    if (!(error instanceof StepError) || error.code !== 'refused') throw error;
  }
}

const asOff = (error: StepError): StepError =>
  new StepError('off', error.message, { cause: error });
