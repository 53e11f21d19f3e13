import type { DomainDisk } from '../../catalog/model.ts';
import type { Clock } from '../../engine/clock.ts';
import type { Life } from '../qemu/life.ts';
import { Notes } from '../qemu/notes.ts';
import type { LibvirtDomainConfig } from './domain-config.ts';
import { Libvirt } from './libvirt.ts';
import { passedSink } from './memory-sink.ts';
import { PassthroughMonitor } from './passthrough.ts';

/** The life of a QEMU that libvirt looks after. */
export interface LibvirtLife extends Life {
  readonly libvirt: Libvirt;
  /** What QEMU calls each device, as the description said last. */
  aliases: ReadonlyMap<string, string>;
}

/** Everything that a toolstack object holds on to. */
export function libvirtLife(
  config: LibvirtDomainConfig,
  options: { home: string; clock: Clock; heads: () => readonly DomainDisk[] },
): LibvirtLife {
  const libvirt = new Libvirt(config);
  const life: LibvirtLife = {
    name: config.name,
    get devices() {
      return options.heads().map(({ device }) => device);
    },
    idOf: device => life.aliases.get(device) ?? device,
    // libvirt: src/qemu/qemu_block.c; `libvirt-3-format` over `libvirt-3-storage`.
    ownsNode: name => /^libvirt-\d+-(format|storage)$/.test(name),
    clock: options.clock,
    heads: options.heads,
    monitor: new PassthroughMonitor(libvirt),
    notes: new Notes(options.home, config.uuid),
    sink: passedSink(libvirt, options.home),
    jobsEndThemselves: true,
    wantsEvents: true,
    seen: undefined,
    settled: false,
    prepared: undefined,
    libvirt,
    aliases: new Map(),
  };
  return life;
}
