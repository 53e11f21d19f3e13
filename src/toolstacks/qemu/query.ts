import type { z } from 'zod';
import type { QmpCommand } from '../../tools/qmp.ts';

/** A command that only asks, with what its answer must look like. */
export interface Query<T> extends QmpCommand {
  readonly schema: z.ZodType<T>;
}
