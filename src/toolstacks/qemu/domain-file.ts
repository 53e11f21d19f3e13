import { resolve } from 'node:path';
import { parse } from 'yaml';
import type { z } from 'zod';
import { StepError } from '../../engine/step.ts';
import { printable } from '../../tools/printable.ts';
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

const A: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a set of keys with their values',
  string: 'a text',
};

/** What a person has to change, where the schema has no words of its own. */
function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  const missing = issue.input === undefined;
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = A[issue.expected] ?? issue.expected;
      if (missing) return `is missing; it is ${wanted}`;
      const plain = issue.expected === 'string' && typeof issue.input !== 'object';
      return `is not ${wanted}${plain ? `: put ${String(issue.input)} in quotes` : ''}`;
    }
    case 'invalid_value': {
      const values = `one of ${issue.values.join(', ')}`;
      return missing ? `is missing; it is ${values}` : `is not ${values}`;
    }
    case 'unrecognized_keys':
      return `has keys that mean nothing here: ${printable(issue.keys.join(', '), 200)}`;
    case 'too_small':
      return 'is empty';
    default:
      return undefined;
  }
}

function checked<T>(wanted: z.ZodType<T>, value: unknown): T {
  const parsed = wanted.safeParse(value, { error: inWords });
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
