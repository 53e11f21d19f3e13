/** Wait for all, also where one has failed: nothing may still be at work when a step has ended. */
export async function together(works: readonly Promise<unknown>[]): Promise<void> {
  const ended = await Promise.allSettled(works);
  const failed = ended.find(one => one.status === 'rejected');
  if (failed) throw failed.reason;
}
