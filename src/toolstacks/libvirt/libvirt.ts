import { setTimeout as sleep } from 'node:timers/promises';
import { StepError } from '../../engine/step.ts';
import { ToolError } from '../../tools/tool-error.ts';
import { Virsh } from '../../tools/virsh.ts';
import { type CallContext, NO_EFFECT } from '../port.ts';
import { askPools } from './ask-pools.ts';
import type { LibvirtDomainConfig } from './domain-config.ts';
import { type Description, readDescription } from './domain-xml.ts';
import type { Pool, Pools } from './pools.ts';

/** Libvirt answers in milliseconds; what waits for a disk or for QEMU takes longer. */
const CALL_MS = 60_000;

/**
 * How long an operation waits for a libvirtd that is not there: one that has died is started again by
 * systemd after 100 ms, and answers once it has found its domains again.
 */
const BACK_MS = 10_000;
const AGAIN_MS = 200;

/**
 * One domain of one libvirt, by virsh. Throws StepErrors: `no-domain`, `off` (the domain is), `no-libvirt`
 * (nobody answers, or whoever did has ended in the middle of it), and what `refusedBy` makes of the rest.
 */
export class Libvirt {
  readonly config: LibvirtDomainConfig;
  readonly virsh: Virsh;
  #context: CallContext | undefined;
  readonly #pools = new Map<string, Pool>();

  constructor(config: LibvirtDomainConfig) {
    this.config = config;
    this.virsh = new Virsh({ connect: config.connect ?? undefined, log: () => {} });
  }

  /** Which effect the calls from here on belong to. */
  use(context: CallContext): void {
    this.#context = context;
    this.virsh.use(context.log);
  }

  /** `virsh VERB DOMAIN …`. The domain is named by its UUID: another may have got its name. */
  async verb(verb: string, ...words: readonly string[]): Promise<string> {
    return await this.call(verb, this.config.uuid, ...words);
  }

  /** A verb that changes nothing: it is said again where nobody knows whether it was heard. */
  async ask(verb: string, ...words: readonly string[]): Promise<string> {
    return await this.#patiently([verb, this.config.uuid, ...words], wasNotAnswered);
  }

  async call(...words: readonly string[]): Promise<string> {
    return await this.#patiently(words, wasNotHeard);
  }

  /** A plan does not wait for a libvirt that is not there; an operation does, for its guest may stand still. */
  async #patiently(
    words: readonly string[],
    again: (error: ToolError) => boolean,
  ): Promise<string> {
    const { signal, key = NO_EFFECT } = this.#context ?? {};
    const limits = { deadlineMs: CALL_MS, signal };
    for (let waitedMs = 0; ; waitedMs += AGAIN_MS) {
      try {
        return await this.virsh.call(words, limits);
      } catch (error) {
        if (!(error instanceof ToolError)) throw error;
        const enough = key === NO_EFFECT || waitedMs >= BACK_MS || signal?.aborted;
        if (enough || !again(error)) throw refusedBy(error);
      }
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The description of the running domain, or of the next start. */
  async describe(which: 'now' | 'next'): Promise<Description> {
    const xml = await this.xml(which);
    return readDescription(xml, await this.poolsOf(xml));
  }

  /** The pools that a description names: each is asked about once. */
  async poolsOf(xml: string): Promise<Pools> {
    const ask = (name: string) => this.#patiently(['pool-dumpxml', name], wasNotAnswered);
    return await askPools(xml, ask, this.#pools);
  }

  async xml(which: 'now' | 'next' | 'migratable'): Promise<string> {
    const option = { now: [], next: ['--inactive'], migratable: ['--migratable'] }[which];
    return await this.ask('dumpxml', '--security-info', ...option);
  }

  /** How libvirt says that the domain stands; null where it does not know it (any more). */
  async state(...options: readonly '--reason'[]): Promise<string | null> {
    try {
      return (await this.ask('domstate', ...options)).trim();
    } catch (error) {
      if (error instanceof StepError && error.code === 'no-domain') return null;
      throw error;
    }
  }

  close(): void {
    this.virsh.close();
  }
}

const wasNotHeard = ({ detail }: ToolError): boolean => detail.unreachable === true;

const wasNotAnswered = (error: ToolError): boolean => error.code === 'closed' || wasNotHeard(error);

/** What libvirt's refusal means for a step. */
export function refusedBy(error: ToolError): StepError {
  const { message, code, detail } = error;
  const make = (name: string, retryable: boolean) =>
    new StepError(name, message, { cause: error, retryable });
  if (code === 'missing') return make('no-libvirt', false);
  if (code === 'timeout' || code === 'aborted') return make(code, true);
  if (code === 'refused' && !detail.unreachable) return make('refused', false);
  if (code !== 'failed') return make('no-libvirt', true);
  if (/Domain not found|no domain with matching/i.test(message)) {
    return make('no-domain', false);
  }
  if (/domain is not running|unable to (read from|write to) monitor/i.test(message)) {
    return make('off', true);
  }
  if (/no space left/i.test(message)) return make('no-space', true);
  // Another's job has the domain's lock, or libvirt is about to start or end it.
  const busy = /cannot acquire state change lock|is being (started|stopped)|in use|already active/i;
  return make('refused', busy.test(message));
}
