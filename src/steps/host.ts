import { z } from 'zod';
import type { Catalog, CatalogChange } from '../catalog/model.ts';
import type { Clock } from '../engine/clock.ts';
import {
  type Acted,
  defineStep,
  type EffectContext,
  type Probe,
  type Step,
} from '../engine/step.ts';
import type { Images } from '../storages/port.ts';
import type { Command, Toolstack } from '../toolstacks/port.ts';

/** What the steps of an operation act on: one domain, the images of this host, and the catalog. */
export interface Host {
  readonly toolstack: Toolstack;
  readonly images: Images;
  readonly catalog: Catalog;
  readonly clock: Clock;
}

/** A step that can also say which commands it would give, without giving them. */
export interface HostStep extends Step {
  /** null: it works by looking and recording, and gives none in any case. */
  preview(input: unknown): readonly Command[] | null;
}

/** What a step file says. */
export interface StepSpec<Input, Output> {
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType<Output>;
  probe(input: Input, context: EffectContext): Promise<Probe<Output>>;
  act(input: Input, context: EffectContext): Promise<ActedOn<Output>>;
  /** The commands of the deeds that `act` would do where nothing goes wrong. */
  preview?(input: Input): readonly Command[] | null;
}

/** An effect's output with typed catalog changes. */
export interface ActedOn<Output> {
  readonly output: Output;
  readonly changes?: readonly CatalogChange[];
}

/** Make a step of its specification. */
export function hostStep<Input, Output>(spec: StepSpec<Input, Output>): HostStep {
  const step = defineStep<Input, Output>({
    input: spec.input,
    output: spec.output,
    probe: spec.probe,
    act: async (input, context) => (await spec.act(input, context)) as Acted<Output>,
  });
  return { ...step, preview: input => spec.preview?.(spec.input.parse(input)) ?? null };
}

/** What stands for the operation's id in a preview: a plan has none yet. */
export const PREVIEW = 'OPERATION';

/** For steps whose effect is so quickly asked for that doing it again is the best probe. */
export const alwaysAgain = async (): Promise<{ state: 'absent' }> => ({ state: 'absent' });

/** The output of a step that has nothing to say. Made once: a schema costs more than its use. */
export const Nothing = z.object({});
