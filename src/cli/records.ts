import { exportRecord, importRecord, refuseNoRecord } from '../operations/records.ts';
import { typed } from '../plan/typed.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { knowing, seeing } from './newcomer.ts';
import { withReading, withSession } from './open-home.ts';
import { json, out } from './output.ts';
import { readInput } from './read-input.ts';
import { waitingOf } from './waiting.ts';

/** `domsnap export`: a snapshot as libvirt describes one. */
export function exportSnapshot(call: Invocation, domain: string, name: string): Promise<Exit> {
  return withReading(call, async session => {
    const xml = await exportRecord(await seeing(call, session, domain), domain, name);
    if (call.json) json({ ok: true, domain, name, xml });
    else out(xml.trimEnd());
    return EXIT.done;
  });
}

/** `domsnap import`: the other way. */
export function importSnapshot(
  call: Invocation,
  domain: string,
  file: string,
  { wait }: { readonly wait?: number | true | undefined },
): Promise<Exit> {
  return withSession(call, async session => {
    const text = await readInput(file === '-' ? '/dev/stdin' : file, 'bad-record', file);
    await refuseNoRecord(text);
    await knowing(call, session, domain, { wait });
    const made = await importRecord(session, domain, text, waitingOf(wait));
    const names = made.map(({ name }) => name);
    if (call.json) json({ ok: true, domain, snapshots: names });
    else if (names.length === 0) out(`${domain} had that snapshot already; its record is taken up`);
    else out(`${domain} has ${names.join(', ')}; ${typed('list', domain)} shows where`);
    return EXIT.done;
  });
}
