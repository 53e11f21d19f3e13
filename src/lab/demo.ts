import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runVisibly } from '../tools/run-visibly.ts';
import { connectSerial } from '../tools/serial.ts';
import { labUp } from './guest.ts';
import { LabError } from './lab-error.ts';
import { type LabFiles, labFiles } from './lab-files.ts';
import { labDown, labStatus } from './lab-state.ts';
import { parseValues } from './lab-values.ts';

/**
 * `npm start`: domsnap's main job on a real virtual machine, by the commands that a user would type.
 * The guest counts in its memory and on both of its disks; whoever takes it back to an instant can read
 * on all three whether it was one instant. `--keep` leaves the guest for playing with.
 */
const CLI = new URL('../cli/main.ts', import.meta.url).pathname;
const log = () => {};
const keep = process.argv.includes('--keep');
const bold = (text: string) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[22m` : text);
const say = (text: string) => process.stdout.write(`${text}\n`);
const chapter = (text: string) => say(`\n${bold(`── ${text}`)}`);

/** What the guest itself says: its counters in memory and on each disk, and which boot this is. */
interface Testimony {
  readonly mem: number;
  readonly disks: Readonly<Record<string, number | null>>;
  readonly boot: string;
}

const began = performance.now();
const folder = await mkdtemp(join(tmpdir(), 'domsnap-demo-'));
const files = labFiles(join(folder, 'lab'));
const home = join(folder, 'home');
let failed = true;
try {
  await main();
  failed = false;
} catch (error) {
  say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await cleanUp();
}

async function main(): Promise<void> {
  chapter('A virtual machine with two disks: vda is qcow2 with a file system, vdb is raw');
  await labUp({ folder: files.folder }, { log });
  await domsnap('domain', 'add', files.domainFile);
  await domsnap('domain', 'start', 'lab');
  tell('the guest is up', await firstWord());

  chapter('A checkpoint of the running guest, memory included');
  const before = await testimony();
  await domsnap('create', 'lab', 'checkpoint', '--description', 'memory and both disks');
  tell('the guest went on counting', await testimony());

  chapter('A disk-only snapshot, with the guest’s file systems frozen');
  await domsnap('create', 'lab', 'quiesced', '--memory', 'none', '--quiesce', 'require');

  chapter('The guest writes on');
  await sleep(2_000);
  const late = await testimony();
  tell('two seconds later', late);
  await domsnap('list', 'lab', '--tree');

  chapter('Back to the checkpoint');
  await domsnap('revert', 'lab', 'checkpoint');
  const back = await testimony();
  tell('the guest says', back);
  prove(before, late, back);
  await sleep(1_000);
  const on = await testimony();
  tell('and goes on from there', on);
  if (on.mem <= back.mem) throw new LabError('the guest does not count on');

  chapter('A snapshot in the middle of the chain goes, while the guest runs');
  await domsnap('delete', 'lab', 'quiesced');
  tell('the guest did not notice', await testimony());
  await domsnap('list', 'lab', '--tree');

  chapter('Everything that happened, and the proof that nobody has changed the record');
  await domsnap('log', 'lab');
  await domsnap('log', 'verify');
}

/** The proof: the same boot, an earlier count, and memory and disks of one instant. */
function prove(before: Testimony, late: Testimony, back: Testimony): void {
  const counts = [back.mem, ...Object.values(back.disks).map(count => count ?? Number.NaN)];
  const apart = Math.max(...counts) - Math.min(...counts);
  const facts: [string, boolean][] = [
    ['it is the same boot of the same guest: its memory came back', back.boot === before.boot],
    [`it counts from the checkpoint on (${back.mem}), not from ${late.mem}`, back.mem < late.mem],
    ['it is not older than the checkpoint', back.mem >= before.mem],
    [
      `memory and both disks are of one instant (${apart} apart, 1 is a tick under way)`,
      apart <= 1,
    ],
  ];
  for (const [fact, holds] of facts) say(`   ${holds ? '✔' : '✘'} ${fact}`);
  if (!facts.every(([, holds]) => holds)) throw new LabError('the revert is not proved');
}

async function domsnap(...args: string[]): Promise<void> {
  say(`\n${bold(`$ domsnap ${args.map(shown).join(' ')}`)}`);
  await runVisibly([process.execPath, CLI, ...args], { env: { DOMSNAP_HOME: home } });
}

async function testimony(): Promise<Testimony> {
  const serial = await connectSerial(files.serialSocket, { deadlineMs: 20_000 });
  try {
    const { mem, ...disks } = parseValues(await serial.ask('read'));
    const boot = await serial.ask('nonce');
    return { mem: mem ?? Number.NaN, disks, boot };
  } finally {
    serial.close();
  }
}

async function firstWord(): Promise<Testimony> {
  for (let tries = 0; tries < 60; tries += 1) {
    const { counters } = await labStatus(files.folder, { log });
    if (counters?.mem) return testimony();
    await sleep(500);
  }
  throw new LabError(`the guest does not count; its console is in ${files.consoleLog}`);
}

function tell(what: string, { mem, disks }: Testimony): void {
  const counts = Object.entries(disks).map(([device, count]) => `${device} ${count}`);
  say(`   ${what}: memory ${mem}, ${counts.join(', ')}`);
}

async function cleanUp(): Promise<void> {
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  if (keep) {
    say(`\n${failed ? 'Failed' : 'Done'} in ${seconds} s. The guest is yours:`);
    say(`   export DOMSNAP_HOME=${home}`);
    say('   npm run --silent domsnap -- list lab');
    say('   # and when you have had enough:');
    say(`   npm run --silent domsnap -- domain stop lab && rm -r ${folder}`);
    return;
  }
  await endGuest(files);
  await rm(folder, { recursive: true, force: true });
  if (!failed)
    say(`\nDone in ${seconds} s; nothing is left behind. (npm start -- --keep keeps it.)`);
}

async function endGuest({ folder: lab }: LabFiles): Promise<void> {
  const { state } = await labStatus(lab, { log });
  if (state !== 'absent') await labDown(lab, { log });
}

function shown(arg: string): string {
  return /^[\w./:=-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`;
}
