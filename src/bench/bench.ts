import { run } from '../tools/run.ts';
import { enginePart } from './engine-part.ts';
import { guestParts, type Results } from './guest-parts.ts';
import { type HostFacts, hostFacts } from './host-facts.ts';
import { type Libvirt, libvirt, NoLibvirtError } from './libvirt.ts';
import { libvirtPart } from './libvirt-part.ts';
import { listPart } from './list-part.ts';
import { memoryPart } from './memory-part.ts';
import type { BenchOptions, Part } from './options.ts';
import { log, say } from './say.ts';
import { startPart } from './start-part.ts';

const BUILD = new URL('../setup/build.ts', import.meta.url).pathname;
const BUILD_MS = 300_000;

/** What a bench came to. `failure`: why it ended before its end. */
export interface BenchRun {
  readonly facts: HostFacts;
  readonly results: Results;
  readonly failure: unknown;
}

/** Measure everything that was asked for, in a folder that is empty. */
export async function runBench(folder: string, options: BenchOptions): Promise<BenchRun> {
  const results: Results = { findings: [], matches: [] };
  const wanted = options.parts.has('virsh') || options.parts.has('libvirt');
  const virsh = wanted ? await findLibvirt(folder) : 'not asked for';
  const facts = await hostFacts(typeof virsh === 'string' ? virsh : virsh.version);
  if (typeof virsh === 'string') {
    say(`virsh: ${virsh}`);
    if (wanted) results.findings.push(noVirsh(virsh));
  }
  let failure: unknown;
  try {
    if (options.build) await build();
    await smallParts(folder, options, results);
    const third = typeof virsh === 'string' || !options.parts.has('virsh') ? null : virsh;
    await guestParts(folder, options, third, results);
    if (typeof virsh !== 'string' && options.parts.has('libvirt')) {
      results.findings.push(...(await libvirtPart(folder, virsh, options)));
    }
  } catch (error) {
    failure = error;
  } finally {
    if (typeof virsh !== 'string') await virsh.close();
  }
  return { facts, results, failure };
}

async function smallParts(
  folder: string,
  { parts, rounds, operations }: BenchOptions,
  { findings }: Results,
): Promise<void> {
  const small: [Part, () => Promise<Results['findings']>][] = [
    ['start', () => startPart(folder, rounds)],
    ['list', () => listPart(folder, rounds)],
    ['engine', () => enginePart(folder, rounds)],
    ['memory', () => memoryPart(folder, operations)],
  ];
  for (const [part, measure] of small) {
    if (!parts.has(part)) continue;
    say(part);
    findings.push(...(await measure()));
  }
}

async function build(): Promise<void> {
  say('build');
  await run([process.execPath, BUILD], { timeoutMs: BUILD_MS, log });
}

async function findLibvirt(folder: string): Promise<Libvirt | string> {
  try {
    return await libvirt(folder);
  } catch (error) {
    if (error instanceof NoLibvirtError) return error.message;
    throw error;
  }
}

const noVirsh = (why: string): Results['findings'][number] => ({
  part: 'virsh',
  memoryMb: null,
  what: 'not compared',
  unit: 'ms',
  domsnap: null,
  against: 'virsh',
  other: null,
  verdicts: [],
  note: why,
});
