import { parseArgs } from 'node:util';
import { campaign } from './campaign.ts';

// `npm run campaign:virsh -- --rounds N --seed S`: the kill campaign's cases, by libvirt's virsh.
// `--first K` leaves out the rounds before K, `--cases TEXT` all cases but those whose names contain it.
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    cases: { type: 'string', default: '' },
  },
});
for (const option of ['rounds', 'seed', 'first'] as const) {
  const isNumber = option === 'first' ? /^\d{1,9}$/ : /^[1-9]\d{0,8}$/;
  if (isNumber.test(values[option])) continue;
  console.error(`--${option}: ${values[option]} is no such number`);
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(signal));
}
process.exitCode = await campaign(
  {
    first: Number(values.first),
    count: Number(values.rounds),
    seed: Number(values.seed),
    only: values.cases,
  },
  interrupted.signal,
);
