import type { JournalRecord } from '../journal/port.ts';
import { printable } from '../tools/printable.ts';
import { duration, localTime } from './format.ts';
import type { Style } from './output.ts';
import { commandText } from './plan.ts';

/** A record for people: when, from which state to which, why, and every call of a tool before it. */
export function recordText(record: JournalRecord, style: Style): string {
  const { seq, at, fact, from, to, effects, calls, position } = record;
  const mark = {
    failed: style('red', '✘'),
    deadline: style('red', '⏱'),
    abort: style('yellow', '■'),
  };
  const sign = mark[fact.type as keyof typeof mark] ?? style('green', '✔');
  const way = from === '' ? `begins in ${to}` : from === to ? `${to} again` : `${from} → ${to}`;
  const time = `${localTime(at)}.${String(at % 1000).padStart(3, '0')}`;
  const place = style('dim', `#${position}`);
  const lines = [`${style('dim', time)} ${String(seq).padStart(3)} ${sign} ${way}  ${place}`];
  const indent = ' '.repeat(28);
  if (fact.type === 'failed') {
    lines.push(`${indent}${style('red', `${fact.error.code}: ${fact.error.message}`)}`);
  }
  if (fact.type === 'abort') lines.push(`${indent}${style('yellow', fact.reason)}`);
  if (fact.type === 'started' || fact.type === 'recover') {
    const { login, uid, host, pid, reason } = fact.who;
    const why = reason ? `: ${printable(reason, 200)}` : '';
    lines.push(`${indent}${fact.type} by ${login || uid}@${host}, process ${pid}${why}`);
  }
  for (const call of calls) {
    const took = duration(call.durationMs);
    const exit =
      call.exit === 'ok' || call.exit === 0
        ? style('green', 'ok')
        : style('red', String(call.exit));
    lines.push(`${indent}${commandText(call, style)}  ${exit} ${style('dim', took)}`);
  }
  for (const { key } of effects) lines.push(`${indent}${style('dim', `next: ${key}`)}`);
  return lines.join('\n');
}
