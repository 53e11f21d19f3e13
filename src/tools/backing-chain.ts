import type { ImageFormat } from './image-format.ts';
import { type ImageInfo, imageInfo } from './qemu-img.ts';
import { type ImageOptions, untrusted } from './qemu-img-ask.ts';

const maxLayers = 200;

/**
 * The image and all below it, top first, one qemu-img per layer (12 ms): `--backing-chain` would
 * guess the format of a layer whose overlay does not name it, and a guest can write what is guessed.
 * Throws ToolError as `imageInfo`, and `protocol` if a layer names no format or no plain file for
 * its base, if the chain is a ring, or if it has more than 200 layers.
 */
export async function backingChain(
  path: string,
  format: ImageFormat,
  options: ImageOptions,
): Promise<ImageInfo[]> {
  const chain: ImageInfo[] = [];
  let next: { readonly path: string; readonly format: ImageFormat } | null = { path, format };
  while (next !== null) {
    const layer: ImageInfo = await imageInfo(next.path, next.format, options);
    chain.push(layer);
    next = below(layer);
    if (next && chain.some(seen => seen.path === next?.path))
      throw untrusted(layer.path, 'is its own base, directly or not');
    if (chain.length >= maxLayers) throw untrusted(path, `has more than ${maxLayers} layers`);
  }
  return chain;
}

function below({ path, backing }: ImageInfo): { path: string; format: ImageFormat } | null {
  if (backing === null) return null;
  if (backing.format === null)
    throw untrusted(path, 'does not name the format of its base, and domsnap does not guess');
  if (!backing.path.startsWith('/')) throw untrusted(path, 'has a base that is not a plain file');
  return { path: backing.path, format: backing.format };
}
