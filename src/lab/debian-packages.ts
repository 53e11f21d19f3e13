import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolError } from '../tools/tool-error.ts';
import { LabError } from './lab-error.ts';
import { type LabTools, runLabTool } from './lab-tools.ts';

/** Each package that was asked about, with what it depends on (of alternatives, the first). */
export type Dependencies = ReadonlyMap<string, readonly string[]>;

/**
 * Reads what `apt-cache depends` prints: a line per package, and under it `  Depends: other` or
 * `  PreDepends: other`; a bar before it (` |Depends: other`) says that the next line is an
 * alternative to it. Virtual packages are written in angle brackets.
 */
export function parseDependencies(text: string): Dependencies {
  const all = new Map<string, string[]>();
  let current: string[] = [];
  let alternativeFollows = false;
  for (const line of text.split('\n')) {
    const heading = /^([a-z0-9][a-z0-9+.-]*)$/.exec(line);
    if (heading) {
      current = [];
      all.set(heading[1]!, current);
      alternativeFollows = false;
      continue;
    }
    const dependency = /^ ([ |])(?:Pre)?Depends: (\S+)$/.exec(line);
    if (!dependency) continue;
    const [, bar, name] = dependency;
    if (!alternativeFollows && !name!.startsWith('<')) current.push(name!);
    alternativeFollows = bar === '|';
  }
  return all;
}

// Perl and the init system come in with it, and no program of the lab's needs either.
const notForTheLab = new Set(['init-system-helpers']);

/** The packages themselves and all that they need to run. */
export function closure(names: readonly string[], dependencies: Dependencies): string[] {
  const found = new Set<string>();
  const queue = [...names];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (found.has(name) || notForTheLab.has(name)) continue;
    found.add(name);
    queue.push(...(dependencies.get(name) ?? []));
  }
  return [...found];
}

/**
 * What the packages depend on, at any depth, of the newest versions that apt knows.
 * Throws LabError if apt knows nothing of one of them.
 */
export async function dependenciesOf(
  tools: LabTools,
  names: readonly string[],
): Promise<Dependencies> {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
  const flags = ['--recurse', ...kinds.map(kind => `--no-${kind}`)];
  try {
    const { stdout } = await runLabTool(tools, ['apt-cache', 'depends', ...flags, ...names]);
    const dependencies = parseDependencies(stdout);
    const unknown = names.filter(name => !dependencies.has(name));
    if (unknown.length === 0) return dependencies;
    throw new LabError(`apt does not know ${unknown.join(', ')}. ${aptHint}`);
  } catch (cause) {
    throw aptError(`apt knows nothing of ${names.join(', ')}`, cause);
  }
}

/** Downloads the packages into `folder` (apt checks their digests) and unpacks them into `root`. */
export async function downloadAndUnpack(
  tools: LabTools,
  names: readonly string[],
  folder: string,
  root: string,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  await mkdir(root, { recursive: true });
  try {
    await runLabTool(tools, ['apt-get', '-q', 'download', ...names], folder);
  } catch (cause) {
    throw aptError('the packages of the lab guest cannot be downloaded', cause);
  }
  const files = (await readdir(folder)).filter(file => file.endsWith('.deb')).sort();
  for (const file of files) {
    await runLabTool(tools, ['dpkg', '-x', join(folder, file), root]);
    await rm(join(folder, file));
  }
  return files;
}

const aptHint =
  'The lab guest is made of Debian packages: run `apt-get update` as root, then try again.';

function aptError(what: string, cause: unknown): unknown {
  if (!(cause instanceof ToolError) || cause.code === 'aborted') return cause;
  return new LabError(`${what} (${cause.message}). ${aptHint}`, cause);
}
