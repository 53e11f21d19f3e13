import type { Json } from './json.ts';

// QEMU's `secret` object takes its value as `data`, VNC and SPICE theirs as `password`; in an option
// string a comma within a value is doubled.
const secretKey = /^(data|password|passphrase|secret)$/i;
const secretOption = /\b(data|password|passphrase)=(?:[^,]|,,)*/gi;

/** A copy of a command, or of an error's detail, with the values of secrets replaced. */
export function redact(command: Json): Json {
  if (typeof command === 'string') return command.replace(secretOption, '$1=[redacted]');
  if (typeof command !== 'object' || command === null) return command;
  if (Array.isArray(command)) return command.map(redact);
  return Object.fromEntries(
    Object.entries(command).map(([key, value]) => [
      key,
      secretKey.test(key) && typeof value === 'string' ? '[redacted]' : redact(value),
    ]),
  );
}
