import { parseArgs } from 'node:util';
import { campaign } from './campaign.ts';

// `npm run campaign:virsh -- --rounds N --seed S`: the kill campaign's cases, by libvirt's virsh.
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    cases: { type: 'string', default: '' },
  },
});
for (const option of ['rounds', 'seed'] as const) {
  if (/^[1-9]\d{0,8}$/.test(values[option])) continue;
  console.error(`--${option}: ${values[option]} is not a whole number above 0`);
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(signal));
}
const { rounds, seed, cases } = values;
process.exitCode = await campaign(Number(rounds), Number(seed), cases, interrupted.signal);
