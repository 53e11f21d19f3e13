import { join } from 'node:path';
import { CREATE_CASES, type CreateCase, createErrand, deleteErrand } from './create-cases.ts';
import {
  banBackground,
  type Guest,
  guestGone,
  guestMade,
  guestStarted,
  trashEmptied,
  watchGuest,
} from './domsnap-guest.ts';
import type { Finding } from './findings.ts';
import { fsyncsOf } from './fsyncs.ts';
import {
  dirtyFindings,
  fsyncFindings,
  IDLE,
  MAIN_CASE,
  matchFindings,
  virshFindings,
} from './guest-findings.ts';
import { dirty } from './lab-guest.ts';
import type { Libvirt } from './libvirt.ts';
import type { BenchOptions } from './options.ts';
import { REVERT_CASES, revertRounds } from './revert-rounds.ts';
import { type CreateRounds, createRounds, lastCase, type Match } from './rounds.ts';
import { say } from './say.ts';
import type { Stillness } from './stillness.ts';
import { noSamples, type Third, thirdReady, turnOf } from './third.ts';

/** Where findings go as they are made, so that a bench that is cut short still tells what it has. */
export interface Results {
  readonly findings: Finding[];
  /** Every sample, for who wants to look closer. */
  readonly matches: { readonly memoryMb: number | null; readonly match: Match }[];
}

/** Everything that is measured on a guest, at each size of its memory. */
export async function guestParts(
  folder: string,
  options: BenchOptions,
  libvirt: Libvirt | null,
  results: Results,
): Promise<void> {
  await onGuest(join(folder, 'off'), options, options.sizes[0] ?? 256, async guest => {
    await casesOf({ guest, options, results, memoryMb: null, watch: null, third: null }, false);
    await revertsOf({ guest, options, results, memoryMb: null }, false);
  });
  for (const memoryMb of options.sizes) {
    await onGuest(join(folder, `live-${memoryMb}`), options, memoryMb, async guest => {
      const third = libvirt && (await thirdReady(libvirt, join(folder, `v-${memoryMb}`), memoryMb));
      try {
        say(`a guest of ${memoryMb} MiB`);
        await guestStarted(guest, true);
        const watch = await watchGuest(guest);
        try {
          const place = { guest, options, results, memoryMb, watch, third };
          await casesOf(place, true);
        } finally {
          watch.close();
        }
      } finally {
        await third?.gone();
      }
      await revertsOf({ guest, options, results, memoryMb }, true);
    });
  }
}

async function onGuest(
  folder: string,
  { parts }: BenchOptions,
  memoryMb: number,
  body: (guest: Guest) => Promise<void>,
): Promise<void> {
  const wanted = ['create', 'delete', 'revert', 'virsh'] as const;
  if (!wanted.some(part => parts.has(part))) return;
  const guest = await guestMade(folder, memoryMb);
  try {
    await body(guest);
  } finally {
    await guestGone(guest);
  }
}

/** What a case is measured with. */
interface Place {
  readonly guest: Guest;
  readonly options: BenchOptions;
  readonly results: Results;
  readonly memoryMb: number | null;
  readonly watch: Stillness | null;
  readonly third: Third | null;
}

async function casesOf(place: Place, live: boolean): Promise<void> {
  const { options } = place;
  const { parts } = options;
  const all = parts.has('create') || parts.has('delete');
  for (const one of CREATE_CASES.filter(each => each.live === live && isWanted(options, each.id))) {
    if (!all && one.id !== MAIN_CASE) continue;
    if (!all && !parts.has('virsh')) continue;
    await caseOf(place, one);
  }
}

async function caseOf(place: Place, one: CreateCase): Promise<void> {
  const { guest, options, results, memoryMb, watch, third } = place;
  const main = one.id === MAIN_CASE && memoryMb !== null && watch !== null;
  say(`${one.id}${one.note ? `, ${one.note}` : ''}`);
  const samples = noSamples();
  const turn = (into: typeof samples) => (counts: boolean) =>
    main && third ? turnOf(third, watch, into, counts) : Promise.resolve();
  const idle = await createRounds(guest, watch, one, options.rounds, turn(samples));
  tell(place, idle, one.note);
  if (memoryMb === null || memoryMb === options.sizes[0]) {
    await countFsyncs(place, one);
  }
  if (!main) return;
  if (third) {
    results.findings.push(...virshFindings(idle.create, idle.remove, samples, memoryMb, IDLE));
  }
  const writing = noSamples();
  const rate = await bothDirty(place, true);
  say(`${one.id}, guest writing ${rate}`);
  const busy = await createRounds(guest, watch, one, options.rounds, turn(writing));
  await bothDirty(place, false);
  const pairs = [
    ['domsnap', idle.create.domsnap, busy.create.domsnap],
    ['floor', idle.create.floor, busy.create.floor],
    ...(third
      ? (['live', 'not live'] as const).map(
          way => [`virsh ${way}`, samples.get(way) ?? [], writing.get(way) ?? []] as const,
        )
      : []),
  ] as const;
  for (const [by, before, now] of pairs) {
    results.findings.push(...dirtyFindings(by, [before, now], memoryMb, rate));
  }
}

/** Both guests do the same; the one that stands still must run to be told so. */
async function bothDirty(
  { guest, third, watch, memoryMb }: Place,
  writing: boolean,
): Promise<string> {
  const mb = memoryMb ?? 0;
  if (third && watch) {
    await watch.rest();
    await third.guest.watch.wake();
    await dirty(third.guest.lab, mb, writing);
    await third.guest.watch.rest();
    await watch.wake();
  }
  return await dirty(guest.lab, mb, writing);
}

function tell(place: Place, { create, remove }: CreateRounds, note?: string): void {
  const { results, memoryMb, options } = place;
  results.matches.push({ memoryMb, match: create }, { memoryMb, match: remove });
  if (options.parts.has('create') || options.parts.has('virsh')) {
    results.findings.push(...matchFindings('create', create, memoryMb, note));
  }
  if (options.parts.has('delete')) {
    const of = `of ${create.caseId.replace('create.', '')}${note ? `, ${note}` : ''}`;
    results.findings.push(...matchFindings('delete', remove, memoryMb, of));
  }
}

/** Once, under strace: these commands are not timed. */
async function countFsyncs({ guest, results, options }: Place, one: CreateCase): Promise<void> {
  if (!options.parts.has('create') && !options.parts.has('delete')) return;
  const { session, lab } = guest;
  if (one.live) banBackground(guest, one.withoutBackground);
  const counted = async (args: readonly string[]) => {
    const found = await fsyncsOf(session.home, args, lab.files.folder);
    if (!found) return false;
    results.findings.push(...fsyncFindings(lastCase(guest), found));
    return true;
  };
  const name = 'counted';
  const made = await counted(createErrand(one, name).args);
  if (made) await counted(deleteErrand(name).args);
  else results.findings.push(...fsyncFindings(one.id, null));
  if (one.live) banBackground(guest, false);
  await trashEmptied(lab);
}

async function revertsOf(
  { guest, options, results, memoryMb }: Pick<Place, 'guest' | 'options' | 'results' | 'memoryMb'>,
  live: boolean,
): Promise<void> {
  if (!options.parts.has('revert')) return;
  for (const one of REVERT_CASES.filter(each => each.live === live && isWanted(options, each.id))) {
    say(one.id);
    const match = await revertRounds(guest, one, options.rounds);
    results.matches.push({ memoryMb, match });
    results.findings.push(...matchFindings('revert', match, memoryMb));
  }
}

const isWanted = ({ cases }: BenchOptions, id: string): boolean =>
  cases.length === 0 || cases.some(text => id.includes(text));
