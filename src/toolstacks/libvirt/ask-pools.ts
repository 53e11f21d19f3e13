import { StepError } from '../../engine/step.ts';
import { child, rootOf, text } from './domain-xml.ts';
import type { Pool, Pools } from './pools.ts';

/**
 * The pools that a description names, each asked about once: one that libvirt does not know is of no type.
 * Throws what `ask` throws and might not throw another time.
 */
export async function askPools(
  xml: string,
  ask: (name: string) => Promise<string>,
  known = new Map<string, Pool>(),
): Promise<Pools> {
  for (const name of poolsIn(xml).filter(one => !known.has(one))) {
    const found = await ask(name).catch(error => {
      if (!(error instanceof StepError) || error.retryable) throw error;
      return null;
    });
    known.set(name, found === null ? { type: '', folder: '' } : readPool(found));
  }
  return known;
}

/** Read a pool's description (formatstorage(7) of libvirt). Throws StepError `bad-description`. */
function readPool(xml: string): Pool {
  const pool = rootOf(xml);
  const target = child(pool, 'target');
  const folder = target ? text(target, 'path').replace(/\/+$/, '') : '';
  return { type: pool.getAttribute('type') ?? '', folder };
}

/** The names of the pools that a description's disks lie in. */
function poolsIn(xml: string): string[] {
  if (!/\bpool=/.test(xml)) return [];
  const sources = [...rootOf(xml).getElementsByTagName('source')];
  return [...new Set(sources.flatMap(source => source.getAttribute('pool') || []))];
}
