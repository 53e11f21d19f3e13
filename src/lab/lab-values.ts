/**
 * Parses what the workload answers to `read` and `found` (`mem=7 vda=7 vdb=6`): null where a disk
 * held no valid record.
 */
export function parseValues(answer: string): Record<string, number | null> {
  const values: Record<string, number | null> = {};
  for (const [, name, value] of answer.matchAll(/(\w+)=(\w+)/g))
    values[name!] = /^\d{1,9}$/.test(value!) ? Number(value) : null;
  return values;
}
