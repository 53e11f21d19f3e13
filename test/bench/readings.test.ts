import { describe, expect, test } from 'vitest';
import { syncedPaths } from '../../src/bench/fsyncs.ts';
import { BenchUsageError, benchOptions } from '../../src/bench/options.ts';
import { pauseOf } from '../../src/bench/stillness.ts';

const event = (name: string, microseconds: number) => ({
  event: name,
  timestamp: { seconds: 1_700_000_000, microseconds },
});

describe('the pause of a guest', () => {
  test('is the sum of its standstills, by QEMU’s own clock', () => {
    const events = [
      event('STOP', 1_000),
      event('RESUME', 9_500),
      event('JOB_STATUS_CHANGE', 9_600),
      event('STOP', 20_000),
      event('RESUME', 20_250),
    ];
    const { totalMs, times } = pauseOf(events);
    expect(totalMs).toBeCloseTo(8.75, 3);
    expect(times).toBe(2);
  });

  test('is none where the guest ran all the time', () => {
    expect(pauseOf([event('RESUME', 5)])).toEqual({ totalMs: 0, times: 0 });
  });

  test('is not made up for a guest that still stands', () => {
    expect(() => pauseOf([event('STOP', 5)])).toThrow('does not run again');
  });
});

describe('the count of fsyncs', () => {
  test('takes a call that strace shows in two parts for one', () => {
    const output = [
      '311 fdatasync(7</home/x/domsnap.db-wal>) = 0',
      '312 fsync(21</images/vda.qcow2> <unfinished ...>',
      '311 fdatasync(7</home/x/domsnap.db-wal>) = 0',
      '312 <... fsync resumed>)              = 0',
      '312 +++ exited with 0 +++',
    ].join('\n');
    expect(syncedPaths(output)).toEqual([
      '/home/x/domsnap.db-wal',
      '/images/vda.qcow2',
      '/home/x/domsnap.db-wal',
    ]);
  });
});

describe('the command line of the bench', () => {
  test('measures everything ten times at two sizes unless told otherwise', () => {
    const { rounds, sizes, parts } = benchOptions([]);
    expect({ rounds, sizes }).toEqual({ rounds: 10, sizes: [256, 1024] });
    expect(parts.size).toBe(9);
  });

  test.each([['--rounds', '0'], ['--sizes', '256,big'], ['--only', 'nothing'], ['--what']])(
    'refuses %s %s',
    (...argv) => {
      expect(() => benchOptions(argv)).toThrow(BenchUsageError);
    },
  );
});
