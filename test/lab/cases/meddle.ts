import type { Session } from '../../../src/operations/session.ts';
import type { ImageDeed } from '../../../src/storages/port.ts';
import type { CallContext, DomainDeed, DomainView } from '../../../src/toolstacks/port.ts';

/** The name of a deed on the domain or on an image. */
export type DeedName = DomainDeed['do'] | ImageDeed['do'];

/** What happens to the real world at a precise place; each once, unless it says otherwise. */
export interface Meddling {
  readonly before?: Partial<Record<DeedName, () => Promise<void> | void>>;
  readonly after?: Partial<Record<DeedName, () => Promise<void> | void>>;
  /** What the plan is told instead of what was found. */
  readonly view?: (view: DomainView) => DomainView;
}

/** The same session, in which somebody does something just before or after a deed. The tools stay real. */
export function meddled(session: Session, { before = {}, after = {}, view }: Meddling): Session {
  const left = { before: { ...before }, after: { ...after } };
  const once = async (when: 'before' | 'after', name: DeedName) => {
    const what = left[when][name];
    delete left[when][name];
    await what?.();
  };
  const around = async <T>(name: DeedName, act: () => Promise<T>): Promise<T> => {
    await once('before', name);
    const answer = await act();
    await once('after', name);
    return answer;
  };
  const { images } = session;
  return {
    ...session,
    images: {
      ...images,
      perform: (deed, context) => around(deed.do, () => images.perform(deed, context)),
    },
    async openToolstack(domain) {
      const toolstack = await session.openToolstack(domain);
      return {
        ...toolstack,
        perform: (deed: DomainDeed, context: CallContext) =>
          around(deed.do, () => toolstack.perform(deed, context)),
        async inspect(context, ask) {
          const found = await toolstack.inspect(context, ask);
          return view ? view(found) : found;
        },
      };
    },
  };
}

/** As on a host whose kernel cannot write-protect memory: live memory is saved by pre-copy. */
export const withoutBackground = (session: Session): Session =>
  meddled(session, {
    view: view => ({
      ...view,
      captures: {
        ...view.captures,
        background: { works: false, why: 'this test takes it away' },
      },
    }),
  });
