import { dirname, join } from 'node:path';
import { isManaged } from '../catalog/model.ts';
import type { Clock } from '../engine/clock.ts';
import type { Json } from '../engine/json.ts';
import { StepError } from '../engine/step.ts';
import {
  fileExists,
  fileSize,
  freeBytes,
  identityOf,
  openedByOthers,
  sha256File,
} from '../tools/file-facts.ts';
import type { Argv } from '../tools/run.ts';
import { settleUdev } from '../tools/udev.ts';
import type { CallContext, Command } from '../toolstacks/port.ts';
import { createFile } from './create-file.ts';
import { draftOf } from './draft.ts';
import { toolAtWork, toolsDone } from './locked-tool.ts';
import { type AskLvm, askLvm, askLvmOnce } from './lvm-view.ts';
import {
  commit,
  copyArgv,
  createArgv,
  createOverlay,
  giveUpCopy,
  mergeArgv,
  moveArgv,
  rebase,
  repoint,
} from './overlay.ts';
import type { ImageDeed, Images } from './port.ts';
import { purge } from './purge.ts';
import {
  applyArgv,
  applyTag,
  dropArgv,
  dropTag,
  extractArgv,
  extractTag,
  tag,
  tagArgv,
} from './qcow2-internal.ts';
import { asStep } from './step-error.ts';
import { prepareTrash, trash, trashFolder } from './trash.ts';
import { performVhd, previewVhd, vhdDeed } from './vhd-deeds.ts';
import { viewChain, viewImage } from './view.ts';
import { performOnVolume, type VolumeDeed, volumeArgvs } from './volume-manager.ts';

/** Images in files and volumes of this host, by qemu-img. The clock dates what goes to the trash. */
export function hostImages({ clock }: { readonly clock: Clock }): Images {
  return imagesAsking(askLvm, clock);
}

function imagesAsking(ask: AskLvm, clock: Clock): Images {
  return {
    async view(volume, context, inUse) {
      if (!inUse) await asStep(() => toolsDone([volume.path], context));
      return await viewImage(volume, context, inUse, ask);
    },
    atOneMoment: () => imagesAsking(askLvmOnce(), clock),
    settle: context => asStep(() => settleUdev(context)),
    chain: (volume, context, inUse) => viewChain(volume, context, inUse, ask),
    exists: path => asStep(() => fileExists(path)),
    identity: identityOf,
    busy: ({ path }) => asStep(() => toolAtWork(path)),
    openedBy: path =>
      asStep(async () => ((await fileExists(path)) ? await openedByOthers(path) : [])),
    freeBytes: path =>
      asStep(async () => freeBytes((await fileExists(path)) ? path : dirname(path))),
    digest: (path, { log, signal }) =>
      asStep(async () => ({
        bytes: (await fileSize(path)).sizeBytes,
        sha256: await sha256File(path, log, { signal }),
      })),
    perform: (deed, context) => asStep(() => perform(deed, context, clock)),
    preview,
  };
}

async function perform(deed: ImageDeed, context: CallContext, clock: Clock): Promise<void> {
  if (context.signal.aborted) throw new StepError('aborted', `${deed.do}: called off`);
  await toolsDone(writtenBy(deed), context);
  const onVhd = vhdDeed(deed);
  if (onVhd) return performVhd(onVhd, context, clock.now());
  switch (deed.do) {
    case 'createOverlay':
      return createOverlay(deed.image, deed.base, context);
    case 'createFile':
      return createFile(deed.path, deed.like, context);
    case 'tag':
    case 'applyTag':
    case 'dropTag':
    case 'extractTag':
      return isManaged(deed.image) ? performOnVolume(deed, context) : onTag(deed, context);
    case 'rebase':
      return rebase(deed.top, deed.base, context);
    case 'dropDraft':
      return giveUpCopy(deed.image.path, context);
    case 'commit':
      return commit(deed.top, deed.base, context);
    case 'repoint':
      return repoint(deed.child, deed.base, context, deed.fromNothing);
    case 'prepareTrash':
      if (await fileExists(deed.path)) {
        await prepareTrash(deed.path, deed.operation, clock.now(), context);
      }
      return;
    case 'trash':
      return trash(deed.path, deed.operation, clock.now(), context);
    case 'purge':
      return purge(deed, context);
  }
}

function onTag(deed: VolumeDeed, context: CallContext): Promise<void> {
  switch (deed.do) {
    case 'tag':
      return tag(deed, context);
    case 'applyTag':
      return applyTag(deed, context);
    case 'dropTag':
      return dropTag(deed, context);
    case 'extractTag':
      return extractTag(deed, deed.to, context);
  }
}

/** The files that a deed changes: an earlier life's tool may still be at work on them. */
function writtenBy(deed: ImageDeed): string[] {
  switch (deed.do) {
    case 'prepareTrash':
    case 'purge':
      return [];
    // A tool that is still at work on the draft is ended by it.
    case 'dropDraft':
      return [];
    case 'createFile':
    case 'trash':
      return [deed.path];
    case 'extractTag':
      return [deed.to.path];
    case 'rebase':
      return [deed.top.path];
    case 'commit':
      return [deed.top.path, deed.base.path];
    case 'repoint':
      return [deed.child.path];
    default:
      return [deed.image.path];
  }
}

/** The commands of a deed where nothing goes wrong, in their order. */
function preview(deed: ImageDeed): readonly Command[] {
  const onVhd = vhdDeed(deed);
  if (onVhd) return previewVhd(onVhd);
  switch (deed.do) {
    case 'createOverlay':
      return [
        file('create-exclusive', deed.image.path),
        exec(createArgv(deed.image, deed.base)),
        file('chown-like', deed.image.path, deed.base.path),
        file('fsync', deed.image.path),
      ];
    case 'createFile':
      return [file('create-exclusive', deed.path), file('chown-like', deed.path, deed.like)];
    case 'tag':
    case 'applyTag':
    case 'dropTag':
    case 'extractTag':
      return isManaged(deed.image) ? volumeArgvs(deed).map(exec) : previewTag(deed);
    case 'rebase':
      return previewRebase(deed);
    case 'dropDraft':
      return [];
    case 'commit':
      return [exec(mergeArgv(deed.top, deed.base))];
    case 'repoint':
      return [exec(moveArgv(deed.child, deed.base, true))];
    case 'prepareTrash':
      return [];
    case 'trash':
      return [file('move', deed.path, `${trashFolder(deed.path, deed.operation)}/`)];
    case 'purge':
      return [file('remove', join(deed.folder, deed.operation, deed.name))];
  }
}

function previewTag(deed: VolumeDeed): Command[] {
  switch (deed.do) {
    case 'tag':
      return [exec(tagArgv(deed))];
    case 'applyTag':
      return [exec(applyArgv(deed))];
    case 'dropTag':
      return [exec(dropArgv(deed))];
    case 'extractTag': {
      const draft = draftOf(deed.to.path);
      return [exec(extractArgv(deed, draft, null)), file('move', draft, deed.to.path)];
    }
  }
}

function previewRebase({ top, base }: ImageDeed & { do: 'rebase' }): Command[] {
  const draft = draftOf(top.path);
  return [
    exec(copyArgv(top.path, draft)),
    exec(moveArgv({ ...top, path: draft }, base)),
    file('replace', draft, top.path),
  ];
}

const exec = (argv: Argv): Command => ({ tool: 'exec', command: argv as Json });
const file = (...command: [string, ...string[]]): Command => ({ tool: 'file', command });
