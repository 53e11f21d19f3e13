import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

// `npm run campaign -- --rounds N --seed S [--first ROUND] [--toolstack libvirt]`: the campaign at any length.
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    toolstack: { type: 'string', default: 'qemu' },
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
  },
});
process.exit(status ?? 1);
