import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Played, play } from './schedule.ts';
import { add, emptyTally, table } from './tally.ts';

// `npm run simulate -- --operations N --seed S --workers W`: random schedules, each with a seed of its own,
// until N operations have come to an outcome. Exit code 1 where one broke a promise.

/** Which seeds a worker plays: every `stride`-th from `seed` on, until it is told to stop. */
interface Share {
  readonly seed: number;
  readonly stride: number;
}

async function playShare({ seed, stride }: Share): Promise<never> {
  for (let next = seed; ; next += stride) parentPort?.postMessage(await playSafely(next));
}

/** A schedule that cannot be played to its end is a finding like any other. */
async function playSafely(seed: number): Promise<Played> {
  try {
    return await play(seed);
  } catch (error) {
    const wrong = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
    const none = { refused: 0, operations: 0, upgraded: 0, outcomes: new Map(), struck: new Map() };
    return { seed, ...none, wrong };
  }
}

function numberOf(text: string, name: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1) return number;
  console.error(`--${name} wants a whole number from 1 on, not ${text}`);
  process.exit(2);
}

function arguments_() {
  try {
    return parseArgs({
      options: {
        operations: { type: 'string', default: '2000' },
        seed: { type: 'string', default: '1' },
        workers: { type: 'string', default: String(availableParallelism()) },
      },
    }).values;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

function simulate(): void {
  const values = arguments_();
  const operations = numberOf(values.operations, 'operations');
  const seed = numberOf(values.seed, 'seed');
  const workers = numberOf(values.workers, 'workers');
  const tally = emptyTally();
  const begunMs = performance.now();
  const seconds = () => (performance.now() - begunMs) / 1_000;
  const timer = setInterval(() => {
    const rate = (tally.operations / seconds()).toFixed(0);
    console.error(`${tally.operations} of ${operations} operations, ${rate} a second`);
  }, 10_000);
  const finish = () => {
    clearInterval(timer);
    console.log(table(tally, seconds()));
    process.exit(tally.wrong.size > 0 ? 1 : 0);
  };
  process.on('SIGINT', finish);
  for (let n = 0; n < workers; n += 1) {
    const share: Share = { seed: seed + n, stride: workers };
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.on('error', error => {
      throw error;
    });
    worker.on('message', (played: Played) => {
      add(tally, played);
      for (const what of played.wrong) console.log(`seed ${played.seed}: ${what}`);
      if (played.wrong.length > 0) {
        console.log(
          `  again: npm run simulate -- --operations 1 --workers 1 --seed ${played.seed}`,
        );
      }
      if (tally.operations >= operations) finish();
    });
  }
}

if (isMainThread) simulate();
else await playShare(workerData as Share);
