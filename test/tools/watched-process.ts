import { setTimeout as sleep } from 'node:timers/promises';
import { spawnWatch } from '../../src/tools/watch-process.ts';

/**
 * A process for tests to watch over: `watched-process.ts LOG MARK WORD…`. Its watcher's recovery writes
 * to MARK. It does what the words say, one after the other, and prints the watcher's pid when it has.
 */
const [logFile = '', mark = '', ...words] = process.argv.slice(2);
const watcher = spawnWatch(['/bin/sh', '-c', 'echo "recovered $1" >>"$0"', mark, 'op1'], logFile);

for (const word of words) {
  if (word === 'lives' || word === 'done') watcher?.say(word);
  else if (word.startsWith('still')) watcher?.say(`still ${Number(word.slice(5))}`);
  else if (word === 'hang up') watcher?.hangUp();
  else if (word === 'die') process.kill(process.pid, 'SIGKILL');
  else throw new Error(`what is ${word}?`);
}
console.log(watcher?.pid ?? 'none');
await sleep(60_000);
