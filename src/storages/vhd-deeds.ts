import type { CallContext, Command } from '../toolstacks/port.ts';
import { draftOf } from './draft.ts';
import { copyArgv } from './overlay.ts';
import type { ImageDeed } from './port.ts';
import { commitChild, createChild, rebaseChild, repointChild } from './vhd.ts';

type DeedOn = Extract<ImageDeed, { do: 'createOverlay' | 'rebase' | 'commit' | 'repoint' }>;

/**
 * The deed, if it is one on an image that stands on a VHD as a VHD itself: no tool of QEMU's can do it, or
 * may see it.
 */
export function vhdDeed(deed: ImageDeed): DeedOn | undefined {
  switch (deed.do) {
    case 'createOverlay':
      return deed.image.format === 'vpc' ? deed : undefined;
    case 'rebase':
    case 'commit':
      return deed.top.format === 'vpc' ? deed : undefined;
    case 'repoint':
      return deed.child.format === 'vpc' ? deed : undefined;
    default:
      return undefined;
  }
}

/** Do it. Throws StepErrors, and ToolErrors of the file system. */
export async function performVhd(deed: DeedOn, context: CallContext, nowMs: number): Promise<void> {
  switch (deed.do) {
    case 'createOverlay':
      return createChild(deed.image, deed.base, nowMs, context);
    case 'rebase':
      return rebaseChild(deed.top, deed.base, context);
    case 'commit':
      return commitChild(deed.top, deed.base, context);
    case 'repoint':
      return repointChild(deed.child, deed.base, context);
  }
}

/** What it would do, where nothing goes wrong. */
export function previewVhd(deed: DeedOn): readonly Command[] {
  switch (deed.do) {
    case 'createOverlay': {
      const { image, base } = deed;
      return [
        file('create-exclusive', draftOf(image.path)),
        file('chown-like', draftOf(image.path), base.path),
        file('vhd-create', image.path, base.path),
        file('move', draftOf(image.path), image.path),
      ];
    }
    case 'rebase': {
      const draft = draftOf(deed.top.path);
      return [
        { tool: 'exec', command: [...copyArgv(deed.top.path, draft)] },
        file('vhd-pull-up', draft, deed.base?.path ?? ''),
        file('replace', draft, deed.top.path),
      ];
    }
    case 'commit':
      return [file('vhd-coalesce', deed.base.path, deed.top.path)];
    case 'repoint':
      return [file('vhd-reparent', deed.child.path, deed.base.path)];
  }
}

const file = (...command: string[]): Command => ({ tool: 'file', command });
