import type { CounterRecord } from '../../../src/lab/counter-record.ts';
import type { Counters } from './stage.ts';
import type { Head, Listed } from './xml.ts';

/** What is seen of the world from outside, after libvirt had its chance. */
export interface Sight {
  /** `virsh domstate`, such as `running` or `shut off`; null: libvirt does not answer. */
  readonly domstate: string | null;
  /** `query-status` of the guest's QEMU; null: there is no process. */
  readonly qemu: string | null;
  /** The guest's own answer, a little later than an earlier one; null: it gave none. */
  readonly guest: Counters | null;
  /** Whether its counter went up meanwhile. */
  readonly moves: boolean;
  /** Its agent says that file systems are frozen. */
  readonly frozen: boolean;
  /** Jobs of QEMU or libvirt that have not come to an end. */
  readonly jobs: readonly string[];
  /** By `virsh dumpxml`, by `virsh dumpxml --inactive`, and what QEMU has open. */
  readonly heads: {
    readonly live: readonly Head[];
    readonly config: readonly Head[];
    readonly qemu: readonly Head[] | null;
  };
  readonly snapshots: readonly SeenSnapshot[];
  /** Every file that the configured heads stand on. */
  readonly chains: readonly string[];
  /** All files beside the images. */
  readonly files: readonly string[];
  /** All tags of internal snapshots, by image. */
  readonly tags: readonly { readonly image: string; readonly tag: string }[];
  /** What the heads of a domain that is off hold; a text says why it cannot be read. */
  readonly counters: readonly (CounterRecord | string)[];
}

/** A snapshot as listed, and as found. */
export interface SeenSnapshot extends Listed {
  /** What of it is not there, in words. */
  readonly missing: readonly string[];
  /** Digests of what it holds, by device and for the memory file; what cannot be read is not in it. */
  readonly digests: Readonly<Record<string, string>>;
  /** Where the workload's counter stands on each disk. */
  readonly counters: Readonly<Record<string, CounterRecord>>;
}
