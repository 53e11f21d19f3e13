import { systemClock } from '../../src/engine/system-clock.ts';
import { hostImages } from '../../src/storages/images.ts';

/** Do a deed (the first argument), and end by SIGKILL when it tells its progress for the n-th time. */
const [, , deed = '', times = ''] = process.argv;
let told = 0;
await hostImages({ clock: systemClock }).perform(JSON.parse(deed), {
  key: 'op1/0/test',
  signal: new AbortController().signal,
  log() {},
  progress() {
    told += 1;
    if (told === Number(times)) process.kill(process.pid, 'SIGKILL');
  },
});
