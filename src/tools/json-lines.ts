import { ToolError, type ToolName } from './tool-error.ts';

/** Longest line accepted of QEMU: lists of block nodes and `query-qmp-schema` are the long ones. */
export const qmpLineBytes = 16 * 1024 * 1024;
/** Longest line accepted of a guest's agent, which is hostile until proved otherwise. */
export const agentLineBytes = 64 * 1024;

const newline = 0x0a;

/** Splits a byte stream into JSON values, one a line, holding at most one line in memory. */
export class JsonLines {
  readonly #tool: ToolName;
  readonly #maxLineBytes: number;
  #parts: Buffer[] = [];
  #heldBytes = 0;

  constructor(tool: ToolName, maxLineBytes: number) {
    this.#tool = tool;
    this.#maxLineBytes = maxLineBytes;
  }

  /**
   * Takes the next bytes and yields each complete line, parsed, with its length. Empty lines are
   * skipped. Throws ToolError `too-large` (line too long) or `protocol` (not JSON); the stream is
   * unusable after that.
   */
  *push(chunk: Buffer): Generator<{ readonly value: unknown; readonly bytes: number }> {
    let start = 0;
    while (start < chunk.length) {
      const end = chunk.indexOf(newline, start);
      this.#hold(chunk.subarray(start, end < 0 ? undefined : end));
      if (end < 0) return;
      start = end + 1;
      const bytes = this.#heldBytes;
      const text = this.#take().trim();
      if (text !== '') yield { value: this.#parse(text), bytes };
    }
  }

  #hold(part: Buffer): void {
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#maxLineBytes) {
      this.#parts = [];
      throw new ToolError(
        this.#tool,
        'too-large',
        `a line of the answer is longer than ${this.#maxLineBytes} bytes`,
        { maxLineBytes: this.#maxLineBytes },
      );
    }
    if (part.length > 0) this.#parts.push(part);
  }

  #take(): string {
    const line = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#heldBytes = 0;
    return line.toString('utf8');
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new ToolError(this.#tool, 'protocol', 'the answer is not JSON', {}, cause);
    }
  }
}
