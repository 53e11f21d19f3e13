import { hostname, userInfo } from 'node:os';
import type { Who } from './fact.ts';

/** Who runs this process, for the audit. */
export function thisProcess(reason?: string): Who {
  const { uid, username } = userInfo();
  const who = { uid, login: username, host: hostname(), pid: process.pid };
  return reason === undefined ? who : { ...who, reason };
}
