import { format } from 'node:util';

/** What a test, or what makes it ready, may do. */
export type Body = (...args: never[]) => unknown;

export interface Case {
  readonly kind: 'test';
  readonly name: string;
  readonly skipped: boolean;
  readonly timeoutMs: number;
  readonly body: () => unknown;
}

export interface Hook {
  readonly body: () => unknown;
  readonly timeoutMs: number;
}

export const HOOKS = ['beforeAll', 'afterAll', 'beforeEach', 'afterEach'] as const;
export type HookName = (typeof HOOKS)[number];

/** A `describe`, or a whole file: what it holds in the order in which it was written. */
export interface Group {
  readonly kind: 'group';
  readonly name: string;
  readonly skipped: boolean;
  readonly entries: (Case | Group)[];
  readonly hooks: Readonly<Record<HookName, Hook[]>>;
}

export const DEFAULT_TIMEOUT_MS = 120_000;

export const newGroup = (name: string, skipped: boolean): Group => ({
  kind: 'group',
  name,
  skipped,
  entries: [],
  hooks: { beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] },
});

let current = newGroup('', false);

/** What is declared while `body` runs, under a name. */
export async function collect(name: string, body: () => unknown): Promise<Group> {
  const group = newGroup(name, false);
  current = group;
  await body();
  return group;
}

/** Files declare at once what they declare: a suite whose body waits for something would be mixed up. */
function declareGroup(name: string, skipped: boolean, body: () => unknown): void {
  const above = current;
  const group = newGroup(name, skipped);
  above.entries.push(group);
  current = group;
  try {
    if (body() instanceof Promise) throw new Error(`the suite '${name}' must not be asynchronous`);
  } finally {
    current = above;
  }
}

function declareCase(name: string, skipped: boolean, options: unknown, body: () => unknown): void {
  current.entries.push({ kind: 'test', name, skipped, timeoutMs: timeoutOf(options), body });
}

export function declareHook(name: HookName, body: () => unknown, timeout?: number): void {
  current.hooks[name].push({ body, timeoutMs: timeoutOf(timeout) });
}

function timeoutOf(options: unknown): number {
  if (typeof options === 'number') return options;
  return (options as { timeout?: number } | undefined)?.timeout ?? DEFAULT_TIMEOUT_MS;
}

type Declare = (name: string, first: unknown, second?: unknown) => void;
type Each = (rows: readonly unknown[]) => Declare;
type When = (condition: unknown) => Declare;
type Declarer = Declare & { each: Each; skip: Declare; skipIf: When; runIf: When };

/** vitest's forms: (name, body), (name, options, body), (name, body, timeout), each row, and when. */
function declarer(
  declare: (name: string, skipped: boolean, options: unknown, body: () => unknown) => void,
): Declarer {
  const of =
    (skipped: boolean, args: readonly unknown[] = []): Declare =>
    (name, first, second) => {
      const [body, options] = typeof first === 'function' ? [first, second] : [second, first];
      declare(name, skipped, options, () => (body as Body)(...(args as never[])));
    };
  const each: Each = rows => (name, first, second) => {
    for (const row of rows) {
      const args = Array.isArray(row) ? row : [row];
      of(false, args)(nameOf(name, args), first, second);
    }
  };
  const skipIf: When = condition => of(Boolean(condition));
  const runIf: When = condition => of(!condition);
  return Object.assign(of(false), { each, skip: of(true), skipIf, runIf });
}

/** `$property` of a row that is an object, then printf's own (`%s`), as vitest fills them in. */
function nameOf(template: string, args: readonly unknown[]): string {
  const [row] = args;
  if (typeof row === 'object' && row !== null)
    return template.replace(/\$(\w+)/g, (whole, key) =>
      key in row ? String((row as Record<string, unknown>)[key]) : whole,
    );
  const taken = template.match(/%[sdifjoO]/g)?.length ?? 0;
  return format(template, ...args.slice(0, taken));
}

export const test: Declarer = declarer(declareCase);
export const describe: Declarer = declarer((name, skipped, _options, body) =>
  declareGroup(name, skipped, body),
);
