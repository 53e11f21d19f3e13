import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CATALOGUE } from '../../machines/index.ts';
import { ToolError } from '../../src/tools/tool-error.ts';
import { compareAnswers, type VirshAnswer } from '../lab/cases/virsh-answers.ts';
import { LONG } from '../long.ts';
import { TestLibvirtd } from './daemon.ts';
import { defineSmall } from './small-domain.ts';
import { type VirshCase, virshCases } from './virsh-cases.ts';

let folder: string;
let daemon: TestLibvirtd;
/** One that stays: some three hundred calls are made. */
const virsh = (...words: string[]): Promise<string> => daemon.ask(...words);

if (!LONG)
  test.skip('what virsh does alone: in the long form, DOMSNAP_LONG=1 (a minute)', () => {});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'domsnap-alone-'));
  if (!LONG) return;
  daemon = await TestLibvirtd.start(join(folder, 'libvirt'));
}, 60_000);

afterAll(async () => {
  await daemon?.close();
  rmSync(folder, { recursive: true });
});

test.runIf(LONG)(
  'every case is asked of virsh alone; what it answers is what the README says',
  {
    timeout: 240_000,
  },
  async () => {
    const cases = virshCases(folder);
    expect([...cases.keys()].sort()).toEqual([...CATALOGUE.keys()].sort());
    const answers: Record<string, VirshAnswer> = {};
    let count = 0;
    for (const [id, one] of cases) {
      count += 1;
      answers[id] = await answerOf(`d${count}`, one);
    }
    const version = /library: libvirt (\S+)/.exec(await virsh('version'))?.[1] ?? '';
    compareAnswers(version, answers);
  },
);

async function answerOf(domain: string, { before, live, ask }: VirshCase): Promise<VirshAnswer> {
  if (ask === null) return { does: 'nothing', says: 'virsh has no words for it' };
  await defineSmall({ virsh }, folder, domain);
  let on = false;
  const standing = async (wanted: boolean) => {
    if (on !== wanted) await virsh(wanted ? 'start' : 'destroy', domain);
    on = wanted;
  };
  try {
    for (const [index, made] of before.entries()) {
      await standing(made.live);
      await virsh('snapshot-create-as', domain, `s${index + 1}`, ...made.words);
    }
    await standing(live);
    const [verb, ...words] = ask;
    const refusal = await virsh(verb, domain, ...words).then(() => null, saidBy);
    const state = await virsh('domstate', domain);
    const left = state === (live ? 'running' : 'shut off') ? '' : `the domain is ${state} then`;
    if (refusal !== null)
      return { does: 'refuses', says: [refusal, left].filter(Boolean).join('; ') };
    return { does: 'works', says: left };
  } finally {
    await virsh('destroy', domain).catch(saidBy);
    for (const end of ['s1', 's2']) rmSync(join(folder, `${end}.memory`), { force: true });
  }
}

/** Why, in virsh's words; what failed, the question says already. */
function saidBy(error: unknown): string {
  if (!(error instanceof ToolError)) throw error;
  return error.message.replace(/^virsh \S+: /, '').replace(/^Failed to [^:]*: /, '');
}
