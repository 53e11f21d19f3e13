import { resolve } from 'node:path';
import { parse } from 'yaml';
import type { z } from 'zod';
import { StepError } from '../../engine/step.ts';
import { DomainFile, QemuDomainConfig } from './domain-config.ts';

/**
 * Read a domain file. Its relative paths are meant from `folder`, where the file lies.
 * Throws StepError `bad-domain-file`, which names each key and what is wrong with it.
 */
export function parseDomainFile(text: string, folder: string): QemuDomainConfig {
  const { disks, monitor, agent, ...rest } = checked(DomainFile, yamlOf(text));
  const from = (path: string) => resolve(folder, path);
  return checked(QemuDomainConfig, {
    ...rest,
    disks: disks.map(one => ({ ...one, path: from(one.path) })),
    monitor: from(monitor),
    ...(agent === undefined ? {} : { agent: from(agent) }),
  });
}

function yamlOf(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    const message = `not YAML: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new StepError('bad-domain-file', message, { cause, retryable: false });
  }
}

function checked<T>(wanted: z.ZodType<T>, value: unknown): T {
  const parsed = wanted.safeParse(value);
  if (parsed.success) return parsed.data;
  const reasons = parsed.error.issues.map(({ path, message }) => {
    const key = path.map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`));
    return `${key.join('').replace(/^\./, '') || 'the file'}: ${message}`;
  });
  throw new StepError('bad-domain-file', reasons.join('\n'), {
    cause: parsed.error,
    retryable: false,
  });
}
