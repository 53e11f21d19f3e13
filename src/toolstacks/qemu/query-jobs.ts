import { z } from 'zod';
import type { Query } from './query.ts';

const job = z.lazy(() =>
  z.object({
    id: z.string(),
    type: z.string(),
    status: z.string(),
    'current-progress': z.number(),
    'total-progress': z.number(),
    error: z.string().optional(),
  }),
);
export type Job = z.infer<typeof job>;

/** All jobs, those that have ended and not been dismissed too. */
export const queryJobs: Query<Job[]> = { command: 'query-jobs', schema: z.array(job) };
