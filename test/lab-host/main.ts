import { parseArgs } from 'node:util';
import { labCacheFolder } from '../../src/lab/kit.ts';
import { guestEnvironment } from './environment.ts';
import { runInLab } from './run-in-lab.ts';

const USAGE = `npm run lvm-lab -- [OPTIONS] COMMAND [ARGUMENT...]

Runs COMMAND as root on a lab host in QEMU, in this folder of this machine's root, of which it has a
copy-on-write view: programs and files are those of this machine, and what it writes is gone with it.
Ends with COMMAND's exit code; with 125 where the host died or was not done in time.

  --disk GIB       an empty disk: vda, vdb and so on; two of 4 GiB by default
  --memory MIB     2048 by default
  --timeout S      600 by default`;

const { values, positionals } = parseArgs({
  options: {
    disk: { type: 'string', multiple: true, default: ['4', '4'] },
    memory: { type: 'string', default: '2048' },
    timeout: { type: 'string', default: '600' },
    help: { type: 'boolean', default: false },
  },
  ...splitAtCommand(process.argv.slice(2)),
});
if (values.help || positionals.length === 0) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
// A terminal's Ctrl-C reaches QEMU too; the folder of the run is removed either way.
const calledOff = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => calledOff.abort());
try {
  const { status, uptimeS, end } = await runInLab({
    argv: positionals,
    cwd: process.cwd(),
    environment: guestEnvironment(process.env),
    cacheFolder: labCacheFolder(process.env),
    diskBytes: values.disk.map(gib => Number(gib) * 1024 ** 3),
    memoryMb: Number(values.memory),
    timeoutMs: Number(values.timeout) * 1000,
    onOutput: bytes => process.stdout.write(bytes),
    signal: calledOff.signal,
  });
  if (status === null) throw new Error(`the lab host ended before its command: ${end}`);
  console.error(`lvm-lab: exit code ${status}, ${uptimeS} s after the host's start`);
  process.exitCode = status;
} catch (error) {
  console.error(`lvm-lab: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 125;
}

/** What begins with the first word that is no option belongs to the command. */
function splitAtCommand(argv: readonly string[]) {
  let at = 0;
  while (argv[at]?.startsWith('--') && argv[at] !== '--')
    at += argv[at] === '--help' || argv[at]!.includes('=') ? 1 : 2;
  const command = argv.slice(argv[at] === '--' ? at + 1 : at);
  return { args: [...argv.slice(0, at), '--', ...command], allowPositionals: true as const };
}
