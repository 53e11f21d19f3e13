import type { Volume } from '../catalog/model.ts';
import type { PlannedMerge } from '../steps/input.ts';
import type { ImageView } from '../storages/port.ts';
import type { Note } from './draft.ts';

/** The images of one disk, and what is to go. */
export interface MergeQuestion {
  readonly device: string;
  readonly images: ReadonlyMap<string, ImageView>;
  /** Images that only the victims need. */
  readonly removed: ReadonlySet<string>;
  /** Images under an internal snapshot that stays listed: their files must not be merged away. */
  readonly pinned: ReadonlySet<string>;
  /**
   * Images under internal snapshots that go. Until the pivot these are listed too, and read through to the
   * bases: nothing may be merged up into such an image.
   */
  readonly doomed?: ReadonlySet<string>;
  /** Paths of the running chain, head first; empty while the domain is off. */
  readonly liveChain: readonly string[];
  /** Into which images of the running chain data can be pulled; default: any. */
  readonly pulls?: 'any' | 'head';
  /** Images that the running domain's QEMU may not write to. */
  readonly sealed?: ReadonlySet<string>;
  readonly freeBytes: (path: string) => number;
  /** Rather downward: the disk's head is to lie where the victim lies. */
  readonly back?: boolean;
}

/** How the images of one disk are brought together. */
export interface MergeAnswer {
  readonly up: readonly PlannedMerge[];
  readonly down: readonly PlannedMerge[];
  /** Files that are needed no more afterwards. */
  readonly trash: readonly string[];
  /** Images that another one takes the place of. */
  readonly replaced: ReadonlyMap<string, Volume>;
  readonly notes: readonly Note[];
}

/** An image that stays, and stands on removed ones: `between` is on the way down to `base`. */
interface Span {
  readonly top: ImageView;
  readonly between: readonly ImageView[];
  readonly base: Volume | null;
}

/**
 * Decide how removed images go away under those that stay. Upward merges only read the victims and can
 * be called off, so they are preferred; a downward merge is chosen where one child stands on the victims
 * and holds much less data than they do, or where there is no space to copy upward.
 */
export function planMerges(question: MergeQuestion): MergeAnswer {
  const up: PlannedMerge[] = [];
  const down: PlannedMerge[] = [];
  const notes: Note[] = [];
  const replaced = new Map<string, Volume>();
  const surviving = new Set<string>();
  const spans = spansOf(question);
  for (const { merge, downward, note } of planSpans(question, spans)) {
    notes.push(note);
    (downward ? down : up).push(merge);
    if (downward && merge.base) {
      replaced.set(merge.top.path, merge.base);
      surviving.add(merge.base.path);
    }
  }
  const trash = [...question.removed, ...replaced.keys()].filter(path => !surviving.has(path));
  // What is merged up first may come to stand on an image that then goes down: it follows it there.
  const followed = down.map(merge => ({
    ...merge,
    children: [
      ...merge.children,
      ...up.filter(({ base }) => base?.path === merge.top.path).map(({ top }) => top),
    ],
  }));
  return { up, down: followed, trash, replaced, notes };
}

function spansOf({ images, removed }: MergeQuestion): Span[] {
  return [...images.values()].flatMap(top => {
    if (removed.has(top.volume.path) || !top.backing || !removed.has(top.backing.path)) return [];
    const between: ImageView[] = [];
    let base: Volume | null = top.backing;
    while (base && removed.has(base.path)) {
      const view = images.get(base.path);
      if (!view) break;
      between.push(view);
      base = view.backing;
    }
    return [{ top, between, base }];
  });
}

interface PlannedSpan {
  readonly merge: PlannedMerge;
  readonly downward: boolean;
  readonly note: Note;
}

/**
 * Where data can be pulled up into the head alone, the head takes up all that stands between it and the
 * lowest base that is needed. The images that it has passed are out of the running chain then, and those
 * of them that stay are brought up as if the domain were off.
 */
function planSpans(question: MergeQuestion, spans: readonly Span[]): readonly PlannedSpan[] {
  const planned = spans.map(span => planSpan(question, span, spans));
  const { device, images, liveChain, pulls = 'any' } = question;
  const [head, ...below] = liveChain;
  const depth = (path: string | undefined) =>
    path === undefined ? liveChain.length : liveChain.indexOf(path);
  const inner = planned.flatMap(({ merge, downward }) =>
    !downward && below.includes(merge.top.path) ? merge : [],
  );
  if (pulls === 'any' || head === undefined || inner.length === 0) return planned;
  const { base } = inner.reduce((one, other) =>
    depth(one.base?.path) > depth(other.base?.path) ? one : other,
  );
  const passed = liveChain.slice(1, depth(base?.path));
  const pull: PlannedSpan = {
    merge: {
      device,
      top: images.get(head)?.volume ?? { path: head, format: 'qcow2' },
      base,
      ...from(images.get(head)),
      live: true,
      children: [],
      bytes: sum(passed.flatMap(path => images.get(path) ?? [])),
    },
    downward: false,
    note: {
      what: `${device}: ${head} takes up all above ${base?.path ?? 'nothing'}`,
      why: 'only the image that the running domain writes to can take data up',
    },
  };
  const others = spans.flatMap((span, index) => {
    const { path } = span.top.volume;
    if (path === head) return [];
    const outOfIt = { ...question, liveChain: [] };
    return passed.includes(path) ? planSpan(outOfIt, span, spans, 'up') : (planned[index] ?? []);
  });
  return [pull, ...others];
}

function planSpan(
  question: MergeQuestion,
  span: Span,
  spans: readonly Span[],
  only?: 'up',
): PlannedSpan {
  const { device, liveChain, freeBytes } = question;
  const { top, between, base } = span;
  const lowest = between.at(-1) as ImageView;
  const upBytes = sum(between);
  const downBytes = sum([top, ...between.slice(0, -1)]);
  const obstacle = whyNotDown(question, span, spans);
  const live = liveChain.includes(top.volume.path);
  // Where no job of the domain does it, the image is copied first.
  const roomBytes = live ? upBytes : upBytes + (top.allocatedBytes ?? 0);
  const noSpace = freeBytes(top.volume.path) < roomBytes;
  const back = question.back === true;
  const doomed = question.doomed?.has(top.volume.path) === true;
  const cheaper = downBytes * 2 < upBytes;
  const downward =
    only !== 'up' && obstacle === undefined && (doomed || back || cheaper || noSpace);
  const common = {
    device,
    top: top.volume,
    live,
    children: childrenOf(question, top.volume.path),
  };
  const way = downward ? 'down' : 'up';
  const reason = downward
    ? doomed
      ? 'internal snapshots in it go too, and are whole until there is no way back'
      : back
        ? 'the disk is to be written where it was before'
        : noSpace
          ? `there is no space to copy ${mebibytes(upBytes)} up`
          : `${mebibytes(downBytes)} go down where ${mebibytes(upBytes)} would go up`
    : (obstacle ??
      `copying ${mebibytes(upBytes)} up leaves the victim untouched and can be called off`);
  return {
    merge: downward
      ? { ...common, base: lowest.volume, bytes: downBytes }
      : { ...common, base, ...from(top), bytes: roomBytes },
    downward,
    note: { what: `${device}: ${top.volume.path} is merged ${way}`, why: reason },
  };
}

const from = (top: ImageView | undefined) => (top?.backing ? { from: top.backing } : {});

/** What forbids writing the top down into the lowest victim, if anything. */
function whyNotDown(
  question: MergeQuestion,
  span: Span,
  spans: readonly Span[],
): string | undefined {
  const { pinned, liveChain, sealed } = question;
  const { top, between } = span;
  const lowest = between.at(-1) as ImageView;
  const shared = spans.some(
    other => other !== span && other.between.some(view => between.includes(view)),
  );
  if (shared) return 'other images stand on the victim too';
  if (pinned.has(top.volume.path)) return `${top.volume.path} holds internal snapshots that stay`;
  if (top.virtualBytes !== lowest.virtualBytes) return 'the disk has grown since';
  const live = liveChain.includes(top.volume.path);
  if (live && sealed?.has(lowest.volume.path)) {
    return `this host lets the running domain only read ${lowest.volume.path}`;
  }
  const above = spans.filter(({ base }) => base?.path === top.volume.path);
  const stray = [
    ...childrenOf(question, top.volume.path),
    ...above.map(other => other.top.volume),
  ].some(({ path }) => !liveChain.includes(path));
  if (live && stray) return 'branches that do not run stand on the child';
  return undefined;
}

const childrenOf = ({ images }: MergeQuestion, path: string): Volume[] =>
  [...images.values()].filter(({ backing }) => backing?.path === path).map(view => view.volume);

const sum = (views: readonly ImageView[]): number =>
  views.reduce((total, { dataBytes }) => total + dataBytes, 0);

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
