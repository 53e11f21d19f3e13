import { StepError } from '../../engine/step.ts';
import { ToolError } from '../../tools/tool-error.ts';
import { Virsh } from '../../tools/virsh.ts';
import type { CallContext } from '../port.ts';
import type { LibvirtDomainConfig } from './domain-config.ts';
import { type Description, readDescription } from './domain-xml.ts';

/** Libvirt answers in milliseconds; what waits for a disk or for QEMU takes longer. */
const CALL_MS = 60_000;

/**
 * One domain of one libvirt, by virsh. Throws StepErrors: `no-domain`, `off` (the domain is), `no-libvirt`
 * (nobody answers, or whoever did has ended in the middle of it), and what `refusedBy` makes of the rest.
 */
export class Libvirt {
  readonly config: LibvirtDomainConfig;
  readonly virsh: Virsh;
  #context: Pick<CallContext, 'signal'> | undefined;

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

  async call(...words: readonly string[]): Promise<string> {
    const limits = { deadlineMs: CALL_MS, signal: this.#context?.signal };
    try {
      return await this.virsh.call(words, limits);
    } catch (error) {
      throw error instanceof ToolError ? refusedBy(error) : error;
    }
  }

  /** The description of the running domain, or of the next start. */
  async describe(which: 'now' | 'next'): Promise<Description> {
    return readDescription(await this.xml(which));
  }

  async xml(which: 'now' | 'next' | 'migratable'): Promise<string> {
    const option = { now: [], next: ['--inactive'], migratable: ['--migratable'] }[which];
    return await this.verb('dumpxml', '--security-info', ...option);
  }

  /** How libvirt says that the domain stands; null where it does not know it (any more). */
  async state(): Promise<string | null> {
    try {
      return (await this.verb('domstate')).trim();
    } catch (error) {
      if (error instanceof StepError && error.code === 'no-domain') return null;
      throw error;
    }
  }

  close(): void {
    this.virsh.close();
  }
}

/** What libvirt's refusal means for a step. */
export function refusedBy(error: ToolError): StepError {
  const { message, code } = error;
  const make = (name: string, retryable: boolean) =>
    new StepError(name, message, { cause: error, retryable });
  if (code === 'missing') return make('no-libvirt', false);
  if (code === 'timeout' || code === 'aborted') return make(code, true);
  if (code !== 'failed') return make('no-libvirt', true);
  if (/failed to get domain|Domain not found|no domain with matching/i.test(message)) {
    return make('no-domain', false);
  }
  if (/domain is not running/i.test(message)) return make('off', true);
  if (/no space left/i.test(message)) return make('no-space', true);
  // Another's job has the domain's lock, or libvirt is about to start or end it.
  const busy = /cannot acquire state change lock|is being (started|stopped)|in use|already active/i;
  return make('refused', busy.test(message));
}
