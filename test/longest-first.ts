import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, longest first: begun last, one of them would keep a core waiting. */
const LONGEST = [
  'test/lvm/lvm.test.ts',
  'test/libvirt/overlay.test.ts',
  'test/crash/every-crash-of-delete.test.ts',
  'test/power-cut/power-cut.test.ts',
  'test/lab/cases/overlay.test.ts',
  'test/lab/cases/internal.test.ts',
  'test/lab/killed-command.test.ts',
  'test/lab/cases/failures.test.ts',
  'test/libvirt/tree.test.ts',
];

/** The longest test files first, all others as vitest would have them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex(name => moduleId.endsWith(name));
      return at < 0 ? LONGEST.length : at;
    };
    return sorted.sort((one, other) => rank(one) - rank(other));
  }
}
