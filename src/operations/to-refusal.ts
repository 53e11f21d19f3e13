import { StepError } from '../engine/step.ts';
import { ROOM_HINT } from '../plan/draft.ts';
import { refuse } from '../plan/refusal.ts';

/** What to do about failures whose message does not say it. */
const HINTS: Readonly<Record<string, string>> = {
  'no-emulator':
    'install it (on Debian: qemu-system-x86), or name another as `binary` in the domain file',
  'no-socket-folder': 'make it, or name another place in the domain file; then type it again',
  'no-space': ROOM_HINT,
  'no-domain': "'virsh list --all' shows those that libvirt knows; --connect names another libvirt",
  'no-libvirt': "'virsh list' says whether libvirt answers; --connect names another one",
};

/** Outside an operation nothing was begun that would have to be undone: a failure is a refusal. */
export async function toRefusal<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof StepError)
      throw refuse(error.code, error.message, HINTS[error.code] ?? '');
    throw error;
  }
}
