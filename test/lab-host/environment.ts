import { join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What programs in a lab host find in their environment: this one's DOMSNAP_* but for its folders. */
export function guestEnvironment(own: NodeJS.ProcessEnv): Record<string, string> {
  const passed = Object.entries(own).filter(
    ([name]) =>
      name.startsWith('DOMSNAP_') && !['DOMSNAP_HOME', 'DOMSNAP_LAB_CACHE'].includes(name),
  );
  return {
    ...(Object.fromEntries(passed) as Record<string, string>),
    PATH: `${join(ROOT, 'node_modules/.bin')}:${PATH}`,
    HOME: '/root',
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    NO_COLOR: '1',
  };
}
