import type { Volume } from '../../src/catalog/model.ts';
import { StepError } from '../../src/engine/step.ts';
import type { Capture } from '../../src/toolstacks/port.ts';
import { Chance } from '../seeded-random.ts';
import { isActive, jobStep, type SimJob } from './block-jobs.ts';
import { SimClock } from './clock.ts';
import { booted, COUNT_BLOCK, type GuestMemory, guestRuns } from './guest.ts';
import { ImageStore } from './image-store.ts';

/** The saving of memory: with the instant that it is of, once that is known. */
export interface SimCapture {
  readonly kind: Capture;
  readonly path: string;
  memory: GuestMemory | null;
  status: 'active' | 'completed';
  left: number;
}

/** The process of the domain, while it is on. */
export interface Process {
  runState: 'running' | 'paused';
  readonly heads: Map<string, Volume>;
  /** Overlays that are open, and not yet used. */
  readonly attached: Map<string, Volume>;
  memory: GuestMemory;
  frozen: number;
  readonly jobs: Map<string, SimJob>;
  capture: SimCapture | null;
}

/** A tool at work on images, as its own process: it may outlive its engine. */
export interface SimTool {
  readonly images: readonly string[];
  readonly work: Iterator<void>;
  orphan: boolean;
}

/** A misfortune at the n-th moment of a world's life. */
export interface Fault {
  readonly at: number;
  readonly kind: 'engine-dies' | 'fails' | 'hangs' | 'late' | 'domain-dies' | 'host-dies';
  /** For `fails`: also whenever the same is tried again. */
  readonly persistent?: boolean;
  readonly code?: string;
  /** For `late`: how long after it was told to stop the call answers all the same. */
  readonly lateMs?: number;
}

/** What was booted or loaded, for the oracle. */
export interface StartEvent {
  readonly contents: Readonly<Record<string, readonly number[]>>;
  readonly memory: GuestMemory | null;
}

/** One simulated host with one domain. */
export class World {
  readonly clock: SimClock;
  readonly store: ImageStore;
  process: Process | null = null;
  tools: SimTool[] = [];
  agent = true;
  filesystems = 2;
  /** The guest runs, and does nothing of itself. */
  guestIdle = false;
  deviceDigest = 'devices-1';
  captures: Record<Capture, boolean> = { background: true, precopy: true, paused: true };
  /** What the next start writes to, as a toolstack that keeps it has it. */
  readonly configured = new Map<string, Volume>();
  /** What the guest has written, kept apart from all images: no merge may lose any of it. */
  readonly truth = new Map<string, number[]>();
  readonly starts: StartEvent[] = [];
  /** Whether the file systems were frozen when disks were last snapshotted. */
  takenFrozen = false;
  /** The domain's process has died by itself. */
  domainDied = false;
  faults: Fault[] = [];
  /** Promises that an engine broke. */
  breaches: string[] = [];
  moments = 0;
  readonly chance: Chance;
  readonly #broken = new Map<string, string>();

  constructor(seed = 1, clock = new SimClock(), store = new ImageStore()) {
    this.clock = clock;
    this.store = store;
    this.chance = new Chance(seed);
    this.clock.whenPasses(ms => this.goOn(1 + Math.min(12, Math.floor(ms / 20))));
  }

  /** The same world at the same moment, with a chance of its own. Nothing may be under way. */
  fork(seed: number): World {
    const other = new World(seed, this.clock.fork(), this.store.fork());
    const { agent, filesystems, deviceDigest, captures, takenFrozen, domainDied, guestIdle } = this;
    const { process } = structuredClone({ process: this.process });
    Object.assign(other, {
      process,
      agent,
      filesystems,
      deviceDigest,
      takenFrozen,
      domainDied,
      guestIdle,
    });
    other.captures = { ...captures };
    for (const [device, head] of this.configured) other.configured.set(device, head);
    for (const [device, held] of this.truth) other.truth.set(device, [...held]);
    other.starts.push(...this.starts);
    return other;
  }

  /** What goes on by itself: the guest, the jobs of its process, tools that outlived their engine. */
  goOn(steps: number): void {
    for (let n = 0; n < steps; n += 1) {
      guestRuns(this, 1);
      const { process } = this;
      if (process) {
        for (const job of process.jobs.values()) jobStep(this.store, process, job);
        this.#captureStep(process);
      }
      for (const tool of this.tools) if (tool.orphan && tool.work.next().done) this.#gone(tool);
    }
  }

  /** The guest writes; a commit of its head mirrors that. */
  guestWrites(device: string, block: number, value: number): void {
    const { process } = this;
    const head = process?.heads.get(device);
    if (!process || !head) throw new Error(`${device} has no head`);
    this.store.write(head, block, value);
    const truth = this.truth.get(device) ?? [];
    truth[block] = value;
    for (const job of process.jobs.values()) {
      const mirrors = job.merge.device === device && job.status !== 'concluded';
      if (mirrors && job.merge.base && isActive(job, process)) {
        this.store.write(job.merge.base, block, value);
      }
    }
  }

  configure(heads: readonly { device: string; volume: Volume }[]): void {
    for (const { device, volume } of heads) this.configured.set(device, volume);
  }

  /** A new process on these heads, standing still. */
  boot(heads: readonly { device: string; volume: Volume }[], memory: GuestMemory | null): Process {
    const contents = heads.map(({ volume }) => this.store.content(volume));
    heads.forEach(({ device }, n) => {
      this.truth.set(device, [...(contents[n] ?? [])]);
    });
    const named = heads.map(({ device }, n) => [device, contents[n] ?? []] as const);
    this.starts.push({ contents: Object.fromEntries(named), memory });
    this.process = {
      runState: 'paused',
      heads: new Map(heads.map(({ device, volume }) => [device, volume])),
      attached: new Map(),
      memory: memory ?? booted(contents.map(content => content[COUNT_BLOCK] ?? 0)),
      frozen: 0,
      jobs: new Map(),
      capture: null,
    };
    return this.process;
  }

  /** Does the domain's process have the file open? Heads, their bases, and overlays in waiting. */
  opened(path: string): 'written' | 'read' | undefined {
    if (!this.process) return undefined;
    if (this.process.attached.has(path)) return 'written';
    for (const head of this.process.heads.values()) {
      if (head.path === path) return 'written';
      if (this.store.chain(head).some(volume => volume.path === path)) return 'read';
    }
    return undefined;
  }

  busy(path: string): boolean {
    return this.tools.some(({ images }) => images.includes(path));
  }

  /** The engine died: each of its tools dies with it or works on, as chance has it. */
  orphanTools(): void {
    this.tools = this.tools.filter(() => this.chance.next() < 0.6);
    for (const tool of this.tools) tool.orphan = true;
  }

  domainDies(): void {
    if (this.process) this.domainDied = true;
    this.process = null;
  }

  /** The fault that strikes now, if any. `what` names the deed, for faults that stay. */
  strike(what: string): Fault | undefined {
    this.moments += 1;
    const code = this.#broken.get(what);
    if (code !== undefined) return { at: this.moments, kind: 'fails', code };
    const fault = this.faults.find(({ at }) => at === this.moments);
    if (fault?.kind === 'fails' && fault.persistent) this.#broken.set(what, fault.code ?? 'io');
    return fault;
  }

  /** No more misfortune. */
  heal(): void {
    this.faults = [];
    this.#broken.clear();
  }

  #captureStep({ capture }: Process): void {
    if (capture?.status !== 'active' || capture.left <= 0) return;
    capture.left -= 1;
    if (capture.left > 0 || !capture.memory) return;
    capture.status = 'completed';
    this.writeMemory(capture.path, capture.memory);
  }

  writeMemory(path: string, memory: GuestMemory): void {
    const file = this.store.files.get(path);
    if (file?.kind !== 'file') throw new StepError('missing', `${path} is not there`);
    file.text = JSON.stringify(memory);
  }

  #gone(tool: SimTool): void {
    this.tools = this.tools.filter(other => other !== tool);
  }
}
