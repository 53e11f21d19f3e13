import { StepError } from '../engine/step.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { type RevertDisk, RevertInput } from './input.ts';

/**
 * Prove that the snapshot can be reverted to before anything is given up for it: every image is there
 * with its tag, and the memory file is, byte for byte, the one that was published.
 */
export const validateSnapshot = ({ images }: Host) =>
  hostStep({
    input: RevertInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ name, disks, memory }, context) {
      for (const disk of disks) {
        const inUse = disk.how !== 'keep';
        if (inUse) await validateDisk(images, name, disk, context);
      }
      // What lies in an image has the image's own references for a proof, and another's has no digest.
      if (memory && memory.inside === undefined && memory.sha256 !== '') {
        const found = await images.digest(memory.path, context);
        if (found.bytes !== memory.bytes || found.sha256 !== memory.sha256) {
          const what =
            found.bytes === memory.bytes
              ? 'has another content'
              : `is ${found.bytes} bytes long instead of ${memory.bytes}`;
          throw damaged(name, `its memory file ${memory.path} ${what}`);
        }
      }
      return { output: {} };
    },
  });

async function validateDisk(
  images: Host['images'],
  name: string,
  { device, image, tag }: RevertDisk,
  context: Parameters<Host['images']['chain']>[1],
): Promise<void> {
  // A chain that can be walked to its end has all its bases.
  const [first] = await images.chain(image, context, true);
  if (tag !== undefined && !first?.tags.includes(tag)) {
    throw damaged(name, `${image.path} of ${device} has no internal snapshot ${tag}`);
  }
}

const damaged = (name: string, what: string): StepError =>
  new StepError('damaged', `${name} cannot be reverted to: ${what}`, { retryable: false });
