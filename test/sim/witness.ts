import type { Step, Steps } from '../../src/engine/step.ts';
import type { Journal } from '../../src/journal/port.ts';

/** What an engine does, as seen by its steps and its journal; each breach of its promises is a sentence. */
export interface Witness {
  readonly steps: Steps;
  readonly journal: Journal;
}

/**
 * Stand between an engine's life and its steps and journal, and hold it to what it promises: nothing begins
 * before the record that names it; what is in doubt is asked about before it is done; and nothing counts
 * as done but what its own step has answered.
 */
export function witness(
  journal: Journal,
  operation: string,
  steps: Steps,
  breach: (what: string) => void,
): Witness {
  const inherited = journal.records(operation).at(-1)?.effects[0]?.key;
  let pending = inherited;
  const asked = new Set<string>();
  const answered = new Set<string>();
  const watched = (name: string, step: Step): Step => ({
    ...step,
    async probe(input, context) {
      asked.add(context.key);
      const found = await step.probe(input, context);
      if (found.state === 'present') answered.add(context.key);
      return found;
    },
    async act(input, context) {
      const { key, attempt } = context;
      // The guest's life is saved without a record where none can be written.
      if (!key.endsWith(`/last/${name}`)) {
        if (key !== pending) breach(`${name} begins before its record: ${key}`);
        const doubtful = attempt > 0 || key === inherited;
        if (doubtful && !asked.has(key)) breach(`${name} is in doubt, and not asked about: ${key}`);
      }
      const acted = await step.act(input, context);
      answered.add(key);
      return acted;
    },
  });
  return {
    steps: new Proxy(steps, {
      get(all, name: string) {
        const step = all[name];
        return step && watched(name, step);
      },
    }),
    journal: {
      ...journal,
      open(...args) {
        const record = journal.open(...args);
        pending = record.effects[0]?.key;
        return record;
      },
      append(...args) {
        const [{ fact }] = args;
        if (fact.type === 'done' && !answered.has(pending ?? '')) {
          breach(`${fact.effect} is recorded as done by an answer that is not its own: ${pending}`);
        }
        const record = journal.append(...args);
        pending = record.effects[0]?.key;
        return record;
      },
    },
  };
}
