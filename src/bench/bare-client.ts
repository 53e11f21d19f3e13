import { setTimeout as sleep } from 'node:timers/promises';
import { connectSocket } from '../tools/line-socket.ts';

type Socket = Awaited<ReturnType<typeof connectSocket>>;

/** A line of a monitor: an answer or an event. */
interface Line {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly id?: number;
  readonly event?: string;
  readonly data?: { readonly id?: string; readonly status?: string };
}

const CONNECT_MS = 20_000;
const WAIT_MS = 10 * 60_000;

/** The barest client of a monitor: it sends, and waits; it checks, logs and records nothing. */
export class BareClient {
  readonly #socket: Socket;
  #held = '';
  #nextId = 1;
  #wake: () => void = () => {};
  readonly #answers = new Map<number, Line>();
  #greeted = false;
  #resumes = 0;
  #closed = false;
  readonly #statuses = new Map<string, Set<string>>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', chunk => this.#take(chunk.toString()));
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Connect to a monitor, which may not be there yet: its process has just been started. */
  static async connect(path: string): Promise<BareClient> {
    const untilMs = performance.now() + CONNECT_MS;
    for (;;) {
      try {
        const client = new BareClient(await connectSocket('qmp', path, { deadlineMs: 1_000 }));
        await client.until(() => client.#greeted, 'the greeting');
        await client.send('qmp_capabilities', {});
        return client;
      } catch (error) {
        if (performance.now() > untilMs) throw error;
        await sleep(5);
      }
    }
  }

  /** Send one command, and wait for its answer. */
  async send(execute: string, args: object): Promise<void> {
    const id = this.#nextId++;
    this.#socket.write(`${JSON.stringify({ execute, arguments: args, id })}\n`);
    await this.until(() => this.#answers.has(id) || (execute === 'quit' && this.#closed), execute);
    const { error } = this.#answers.get(id) ?? {};
    this.#answers.delete(id);
    if (error) throw new Error(`${execute}: ${error.desc}`);
  }

  /** The states that a job, or the migration under the name `migration`, has been in since `forget`. */
  statuses(of: string): ReadonlySet<string> {
    return this.#statuses.get(of) ?? new Set();
  }

  forget(of: string): void {
    this.#statuses.delete(of);
  }

  /** How often the guest has been let run. */
  get resumes(): number {
    return this.#resumes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Wait until the lines that have come make it true. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      late = setTimeout(reject, WAIT_MS, new Error(`the bare client waits in vain: ${what}`));
    });
    try {
      while (!isSo()) {
        if (this.#closed) throw new Error(`the monitor hung up: ${what}`);
        const woken = new Promise<void>(resolve => {
          this.#wake = resolve;
        });
        await Promise.race([woken, tooLate]);
      }
    } finally {
      clearTimeout(late);
    }
  }

  #take(text: string): void {
    const lines = (this.#held + text).split('\n');
    this.#held = lines.pop() ?? '';
    for (const line of lines) this.#line(JSON.parse(line) as Line);
    this.#wake();
  }

  #line(line: Line): void {
    if ('QMP' in line) this.#greeted = true;
    if (line.id !== undefined) this.#answers.set(line.id, line);
    if (line.event === 'RESUME') this.#resumes += 1;
    const { id = 'migration', status } = line.data ?? {};
    if (status === undefined) return;
    if (line.event !== 'JOB_STATUS_CHANGE' && line.event !== 'MIGRATION') return;
    const seen = this.#statuses.get(id) ?? new Set();
    this.#statuses.set(id, seen.add(status));
  }
}
