import { z } from 'zod';
import type { Life } from './life.ts';
import type { Query } from './query.ts';

const queryMemory: Query<{ 'base-memory': number; 'plugged-memory'?: number | undefined }> = {
  command: 'query-memory-size-summary',
  schema: z.object({ 'base-memory': z.number(), 'plugged-memory': z.number().optional() }),
};

/** How much memory the guest has now, in bytes, with what was plugged in since. */
export async function memoryBytes({ monitor }: Life, signal: AbortSignal): Promise<number> {
  const [memory] = await monitor.ask([queryMemory], signal);
  return memory['base-memory'] + (memory['plugged-memory'] ?? 0);
}
