import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';

// `npm run campaign -- --rounds N --seed S [--first ROUND] [--built]`: the campaign at any length;
// `--built` plays dist/, which starts sooner than the source.
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    built: { type: 'boolean', default: false },
  },
});
const CLI = new URL('../../dist/cli/main.js', import.meta.url).pathname;
if (values.built && !existsSync(CLI)) {
  console.error("--built: there is no dist/cli/main.js; 'npm run build' makes it");
  process.exit(2);
}
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
    ...(values.built ? { DOMSNAP_CLI: CLI } : {}),
  },
});
process.exit(status ?? 1);
