import { spawnSync } from 'node:child_process';

/**
 * Run a script in a mount namespace of its own, which goes with it: `setUp`, a piece of shell, makes
 * `folder` ($1) what the script is to find. Whoever is not root becomes it in a user namespace of their
 * own (unshare --map-root-user). Answers the JSON that the script says.
 */
export function inNamespace(
  folder: string,
  setUp: string,
  script: string,
  args: readonly string[],
): unknown {
  const shell = `set -e; ${setUp}; shift; "$@"`;
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const command = [process.execPath, script, folder, ...args];
  const { status, stdout, stderr, error } = spawnSync(
    'unshare',
    [...asRoot, '--mount', 'sh', '-c', shell, 'sh', folder, ...command],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  );
  if (status === 0) return JSON.parse(stdout);
  throw new Error(
    `this test needs to mount a file system of its own, as root or in a user namespace: ${error?.message ?? stderr}`,
  );
}
