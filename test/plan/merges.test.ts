import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MergeAnswer, type MergeQuestion, planMerges } from '../../src/plan/merges.ts';
import type { ImageView } from '../../src/storages/port.ts';

const MIB = 2 ** 20;

/** A tree of images: each stands on an earlier one, or on nothing; some are to go, some are pinned. */
const question = fc
  .array(
    fc.record({
      below: fc.nat(),
      data: fc.integer({ min: 0, max: 64 }),
      goes: fc.boolean(),
      pinned: fc.boolean(),
      grown: fc.boolean(),
    }),
    { minLength: 1, maxLength: 9 },
  )
  .chain(nodes =>
    fc.record({
      nodes: fc.constant(nodes),
      head: fc.nat({ max: nodes.length - 1 }),
      live: fc.boolean(),
      freeMiB: fc.constantFrom(0, 8, 10_000),
      branchy: fc.boolean(),
      pulls: fc.constantFrom('any' as const, 'head' as const),
      areSealed: fc.boolean(),
    }),
  )
  .map(
    ({
      nodes,
      head,
      live,
      freeMiB,
      branchy,
      pulls,
      areSealed,
    }): MergeQuestion & { readonly head: string } => {
      const path = (n: number) => `/images/${n}`;
      const below = (n: number) =>
        n === 0 ? null : path(branchy ? (nodes[n]?.below ?? 0) % n : n - 1);
      const views = nodes.map(({ data, grown }, n): ImageView => {
        const backing = below(n);
        return {
          volume: { path: path(n), format: 'qcow2' },
          virtualBytes: (grown ? 2 : 1) * 64 * MIB,
          allocatedBytes: data * MIB,
          dataBytes: data * MIB,
          backing: backing ? { path: backing, format: 'qcow2' } : null,
          tags: [],
        };
      });
      const images = new Map(views.map(view => [view.volume.path, view]));
      const chain: string[] = [];
      for (let at: string | undefined = path(head); at; at = images.get(at)?.backing?.path) {
        chain.push(at);
      }
      const named = (which: 'goes' | 'pinned') =>
        new Set(nodes.flatMap((node, n) => (node[which] && n !== head ? [path(n)] : [])));
      const removed = named('goes');
      return {
        device: 'vda',
        images,
        removed,
        pinned: new Set([...named('pinned')].filter(one => !removed.has(one))),
        liveChain: live ? chain : [],
        pulls,
        sealed: new Set(areSealed ? chain.slice(1) : []),
        freeBytes: () => freeMiB * MIB,
        head: path(head),
      };
    },
  );

/** What every image stands on once the merges are done, and who took whose place. */
function after({ images }: MergeQuestion, { up, down, replaced }: MergeAnswer) {
  const backing = new Map([...images].map(([path, view]) => [path, view.backing?.path]));
  for (const { top, base } of up) backing.set(top.path, base?.path);
  for (const { base, children } of down) {
    for (const child of children) backing.set(child.path, base?.path);
  }
  const placeOf = (path: string) => replaced.get(path)?.path ?? path;
  return { backing, placeOf };
}

describe('merges of any tree of images', () => {
  test('trash nothing that an image which stays still stands on', () => {
    fc.assert(
      fc.property(question, asked => {
        const answer = planMerges(asked);
        const { backing, placeOf } = after(asked, answer);
        const trash = new Set(answer.trash);
        for (const path of asked.images.keys()) {
          if (asked.removed.has(path)) continue;
          for (let at: string | undefined = placeOf(path); at; at = backing.get(at)) {
            expect(trash, `${path} stands on ${at}`).not.toContain(at);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('leave every image the content that it had: what it loses is merged into it or its place', () => {
    fc.assert(
      fc.property(question, asked => {
        const answer = planMerges(asked);
        const { backing, placeOf } = after(asked, answer);
        const holds = (path: string, read: ReadonlyMap<string, string | undefined>) => {
          const chain: string[] = [];
          for (let at: string | undefined = path; at; at = read.get(at)) chain.push(at);
          return chain;
        };
        const before = new Map(
          [...asked.images].map(([path, view]) => [path, view.backing?.path] as const),
        );
        const merged = new Map<string, string[]>();
        for (const { top, base } of [...answer.up, ...answer.down]) {
          const chain = holds(top.path, before);
          const to = answer.replaced.get(top.path)?.path;
          const end = base ? chain.indexOf(base.path) : chain.length;
          merged.set(to ?? top.path, chain.slice(0, to ? end + 1 : end));
        }
        for (const path of asked.images.keys()) {
          if (asked.removed.has(path)) continue;
          const now = holds(placeOf(path), backing).flatMap(at => merged.get(at) ?? [at]);
          expect(now, path).toEqual(holds(path, before));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('never write into an image that stays, nor merge one away that is pinned', () => {
    fc.assert(
      fc.property(question, asked => {
        const { up, down, trash } = planMerges(asked);
        for (const { base } of down) expect(asked.removed).toContain(base?.path);
        for (const { top } of up) expect(asked.removed).not.toContain(top.path);
        for (const path of asked.pinned) expect(trash).not.toContain(path);
      }),
      { numRuns: 1_000 },
    );
  });

  test('write down only where nobody else stands on the victim', () => {
    fc.assert(
      fc.property(question, asked => {
        for (const { top, base } of planMerges(asked).down) {
          const others = [...asked.images.values()].filter(({ volume, backing }) => {
            const onVictim = backing && asked.removed.has(backing.path);
            return onVictim && backing.path === base?.path && volume.path !== top.path;
          });
          const stay = others.filter(({ volume }) => !asked.removed.has(volume.path));
          expect(stay.map(({ volume }) => volume.path)).toEqual([]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('write down into no image that the running domain may only read', () => {
    fc.assert(
      fc.property(question, asked => {
        const written = planMerges(asked).down.flatMap(({ live, base }) =>
          live && base ? base.path : [],
        );
        expect(written.filter(path => asked.sealed?.has(path))).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('pull into no image of a running chain but its head, where no other can take data up', () => {
    fc.assert(
      fc.property(question, asked => {
        fc.pre(asked.pulls === 'head' && asked.liveChain.length > 0);
        const answer = planMerges(asked);
        const inner = answer.up.filter(({ top, live }) => live && top.path !== asked.head);
        expect(inner).toEqual([]);
        // What the head has passed is out of the chain: no job of the domain can be about it.
        const pulled = answer.up.find(({ live }) => live);
        if (!pulled) return;
        const end = pulled.base ? asked.liveChain.indexOf(pulled.base.path) : undefined;
        const passed = asked.liveChain.slice(1, end);
        const others = [...answer.up, ...answer.down].filter(one => one !== pulled);
        expect(others.filter(({ live, top }) => live && passed.includes(top.path))).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });
});
