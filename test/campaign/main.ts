import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

// `npm run campaign -- --rounds N --seed S [--first ROUND] [--toolstack libvirt] [--case TEXT] [--victim TEXT]`:
// the campaign at any length; the last two leave out what has not the text in its name.
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    toolstack: { type: 'string', default: 'qemu' },
    case: { type: 'string', default: '' },
    victim: { type: 'string', default: '' },
  },
});
for (const option of ['rounds', 'seed', 'first'] as const) {
  const text = values[option];
  if (option === 'first' && text === '0') continue;
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    console.error(`--${option}: ${text} is not a whole number above 0`);
    process.exit(2);
  }
}
if (!['qemu', 'libvirt'].includes(values.toolstack)) {
  console.error(`--toolstack: ${values.toolstack} is neither qemu nor libvirt`);
  process.exit(2);
}
const argv = [
  'run',
  '--config',
  'test/vitest.config.ts',
  'test/campaign/campaign.test.ts',
  '--disable-console-intercept',
];
const { status } = spawnSync('node_modules/.bin/vitest', argv, {
  cwd: new URL('../..', import.meta.url).pathname,
  stdio: 'inherit',
  env: {
    ...process.env,
    DOMSNAP_CAMPAIGN_ROUNDS: values.rounds,
    DOMSNAP_CAMPAIGN_SEED: values.seed,
    DOMSNAP_CAMPAIGN_FIRST: values.first,
    DOMSNAP_CAMPAIGN_TOOLSTACK: values.toolstack,
    DOMSNAP_CAMPAIGN_CASE: values.case,
    DOMSNAP_CAMPAIGN_VICTIM: values.victim,
  },
});
process.exit(status ?? 1);
