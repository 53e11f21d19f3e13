import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { spawnDaemon } from '../../src/tools/daemon.ts';
import { terminate } from '../../src/tools/process.ts';

const domainSchema = z.object({
  name: z.string(),
  binary: z.string(),
  arguments: z.array(z.string()),
  disks: z.array(
    z.object({ device: z.string(), path: z.string(), format: z.string(), attach: z.string() }),
  ),
  monitor: z.string(),
  agent: z.string(),
});

/** A guest that a test started; `end` kills it if it still runs. */
export type StartedGuest = { readonly pid: number; end(): Promise<void> };

const log = () => {};

/** Starts the guest of a domain file with plain QEMU, without any of domsnap's own start. */
export async function startLabGuest(
  domainFile: string,
  extra: readonly string[] = [],
): Promise<StartedGuest> {
  const domain = domainSchema.parse(parse(await readFile(domainFile, 'utf8')));
  const folder = dirname(domainFile);
  const agent = resolve(folder, domain.agent);
  const argv: [string, ...string[]] = [
    domain.binary,
    ...['-name', domain.name],
    ...domain.arguments,
    ...['-qmp', `unix:${resolve(folder, domain.monitor)},server=on,wait=off`],
    ...['-chardev', `socket,path=${agent},server=on,wait=off,id=domsnap-agent`],
    ...['-device', 'virtio-serial-pci', '-device'],
    'virtserialport,chardev=domsnap-agent,name=org.qemu.guest_agent.0',
    ...domain.disks.flatMap(({ device, path, format, attach }) => [
      ...['-blockdev', `driver=file,node-name=${device}-file,filename=${resolve(folder, path)}`],
      ...['-blockdev', `driver=${format},node-name=${device}-top,file=${device}-file`],
      ...['-device', `${attach},drive=${device}-top,id=${device}`],
    ]),
    ...extra,
  ];
  const { pid, startTicks } = await spawnDaemon(argv, { log, logFile: join(folder, 'qemu.log') });
  return {
    pid,
    end: async () => {
      if (startTicks !== null) await terminate(pid, startTicks, { graceMs: 5000, log });
    },
  };
}
