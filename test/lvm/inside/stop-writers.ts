import { setTimeout as sleep } from 'node:timers/promises';
import { pidsWhose } from '../../processes.ts';

/** Those that write a memory file. */
const writers = () =>
  pidsWhose(
    ([program, ...words]) => program === 'tee' && words.some(one => one.endsWith('.memory')),
  );

/** Wait until memory is being saved, and have whoever writes it out stand still: it takes long from then on. */
export async function stopWriters(): Promise<void> {
  for (let tries = 0; writers().length === 0; tries += 1) {
    if (tries > 4_000) throw new Error('no memory is being saved');
    await sleep(20);
  }
  for (const pid of writers()) process.kill(pid, 'SIGSTOP');
}
