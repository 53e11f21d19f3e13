import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

// `npm run campaign -- --rounds N --seed S [--first ROUND]`: the campaign at any length.
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
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
const argv = [
  'run',
  '--config',
  'test/vitest.config.ts',
  'test/campaign',
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
  },
});
process.exit(status ?? 1);
