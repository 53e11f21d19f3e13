import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileError } from '../../tools/file-errors.ts';
import { removeIfThere } from '../../tools/files.ts';
import { shellWord } from '../../tools/shell-word.ts';
import type { CallContext } from '../port.ts';
import type { MonitorPort } from './monitor-port.ts';

// Saved memory goes through a shell that QEMU starts, since `exec:` is what QEMU 7.2 has that writes
// to a file and outlives us. What the shell is to do is fixed; only quoted paths vary.

/** How the memory that QEMU saves gets to its file, and outlives us on its way. */
export interface MemorySink {
  /** Make ready whatever `open` needs and a guest should not wait for. */
  prepare?(context: CallContext): Promise<void>;
  /** What QEMU is told as the migration's target. */
  open(path: string, context: CallContext): Promise<string>;
  /** Take back what `open` gave QEMU, and no migration has taken up. */
  abandon?(monitor: MonitorPort, signal: AbortSignal): Promise<void>;
  /** Let go of what `prepare` has made. */
  close?(): void;
  /** Processes below which those of an open sink are found. */
  roots(path: string, qemu: number | null): readonly number[];
}

/** A shell that QEMU starts itself. */
export const shellSink: MemorySink = {
  open: async path => sinkUri(path),
  roots: (_path, qemu) => (qemu === null ? [] : [qemu]),
};

/** Where the sink says how it went, beside the memory file. */
export const reportPath = (path: string): string => `${path}.report`;

/**
 * The way to the memory file: `tee` writes it, and passes the same bytes on to be digested. A write
 * that fails (a full disk) is told in the report.
 *
 * Whatever fails, the sink reads to the end. A QEMU 7.2 that cannot write the memory out, or is told
 * to cancel, leaves its memory write-protected after a background capture, and hangs for good with
 * its guest (measured; `ram_write_tracking_stop` is only called on success).
 */
export function sinkUri(path: string): string {
  const report = shellWord(reportPath(path));
  return [
    'exec:{ echo begun >&3;',
    `{ tee -- ${shellWord(path)} || echo failed >&3; cat >/dev/null; } |`,
    '{ sha256sum >&3; cat >/dev/null; };',
    `} 3>>${report} || cat >/dev/null`,
  ].join(' ');
}

/**
 * The way back: the saved memory into a QEMU that waits for it, and a byte that it does not read. QEMU 7.2
 * waits for ever, at full speed, for the first byte of a pipe that has ended without one (measured): the
 * file may be gone. By any byte it finds that this is no memory, and ends.
 */
export const sourceUri = (path: string): string => `exec:cat -- ${shellWord(path)}; echo`;

/** What the sink has said so far. */
export type SinkReport =
  | { readonly state: 'none' | 'begun' | 'failed' }
  | { readonly state: 'done'; readonly sha256: string };

/** Reads the report. */
export function readReport(path: string): SinkReport {
  if (!existsSync(reportPath(path))) return { state: 'none' };
  const text = readFileSync(reportPath(path), 'utf8').slice(0, 1000);
  const done = /^begun\n([0-9a-f]{64}) {2}-\n$/.exec(text);
  if (done) return { state: 'done', sha256: done[1]! };
  if (text.includes('failed')) return { state: 'failed' };
  return { state: text.startsWith('begun') ? 'begun' : 'none' };
}

/**
 * A new empty report, 0600; the shell only appends, so that it never makes a file of its own mode. What
 * lies there is removed and not written to: it may be a link. Throws ToolError `failed`.
 */
export function emptyReport(path: string): void {
  const report = reportPath(path);
  removeIfThere(report);
  try {
    writeFileSync(report, '', { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw fileError('create-exclusive', report, cause);
  }
}

export function removeReport(path: string): void {
  removeIfThere(reportPath(path));
}
