import type { Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import type { Images, ImageView } from '../storages/port.ts';
import type { CallContext } from '../toolstacks/port.ts';

/** By what images are read. */
export interface ImageSources {
  readonly images: Images;
  readonly context: CallContext;
}

/**
 * Read an image and its bases, down to the first that was read before. Those that cannot be read come
 * into `unreadable`, with the reason.
 */
export async function walk(
  { images: store, context }: ImageSources,
  root: Volume,
  images: Map<string, ImageView>,
  unreadable: Map<string, string>,
): Promise<void> {
  const walked = new Set<string>();
  let next: Volume | null = root;
  while (next && !images.has(next.path) && !unreadable.has(next.path)) {
    const { path } = next;
    try {
      const view: ImageView = await store.view(next, context, true);
      images.set(path, view);
      walked.add(path);
      next = view.backing;
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      unreadable.set(path, error.message);
      return;
    }
  }
  if (next && walked.has(next.path)) {
    unreadable.set(root.path, `${root.path} stands on a ring of images`);
  }
}

/** An image and its bases as far as they were surveyed, head first. */
export function chainOf(
  { images }: { readonly images: ReadonlyMap<string, ImageView> },
  head: Volume,
): Volume[] {
  const chain: Volume[] = [];
  for (
    let volume: Volume | null = head;
    volume;
    volume = images.get(volume.path)?.backing ?? null
  ) {
    chain.push(volume);
    if (chain.length > CHAIN_MAX) break;
  }
  return chain;
}

/** No sane chain is longer; a loop of backing files would be. */
const CHAIN_MAX = 1_000;
