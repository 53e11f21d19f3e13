import type { CliEvent, EventSink, ProgressEvent, StepEvent } from './events.ts';
import { stylist, widthOf } from './output.ts';
import { patientWriter } from './patient-writer.ts';
import { endLine, headLine, progressText, runningLine } from './step-lines.ts';

/** Shows a running operation. */
export interface Progress {
  readonly sink: EventSink;
  /** All lines have gone out, and nothing is drawn any more. */
  close(): Promise<void>;
}

/** With --json: each event is a line on stdout. */
export function jsonProgress(): Progress {
  const writer = patientWriter(1);
  return {
    sink: event => writer.write(`${JSON.stringify(event)}\n`),
    async close() {
      await writer.drained();
    },
  };
}

/** For people: a line per step on stderr; on a terminal, the step that runs is drawn as it goes. */
export function peopleProgress(): Progress {
  return process.stderr.isTTY ? terminalProgress() : plainProgress();
}

/** A command whose messages nobody reads ends all the same. */
const STILL_MS = 5_000;

const PLAIN_PROGRESS_MS = 10_000;

function plainProgress(): Progress {
  const writer = patientWriter(2);
  const style = stylist(process.stderr);
  let toldMs = performance.now();
  return {
    sink(event) {
      if (event.event === 'step') {
        toldMs = performance.now();
        if (event.status !== 'started') writer.write(`${endLine(event, style, 1000)}\n`);
      } else if (event.event === 'progress') {
        if (performance.now() - toldMs < PLAIN_PROGRESS_MS) return;
        toldMs = performance.now();
        writer.write(`    ${event.step}: ${progressText(event)}\n`);
      } else {
        writer.write(`${headLine(event, style)}\n`);
      }
    },
    async close() {
      await writer.drained(STILL_MS);
    },
  };
}

const FRAMES = [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'];
const FRAME_MS = 120;
const CLEAR = '\r\u001b[K';

function terminalProgress(): Progress {
  const writer = patientWriter(2);
  const style = stylist(process.stderr);
  const columnsMax = () => widthOf(process.stderr) - 1;
  let running: { event: StepEvent; progress?: ProgressEvent; sinceMs: number } | undefined;
  let frame = 0;
  const draw = () => {
    if (!running) return;
    frame = (frame + 1) % FRAMES.length;
    const { event, progress, sinceMs } = running;
    const mark = FRAMES[frame] ?? '';
    const ranMs = performance.now() - sinceMs;
    writer.write(CLEAR + runningLine(event, progress, ranMs, mark, style, columnsMax()));
  };
  const timer = setInterval(draw, FRAME_MS);
  timer.unref();
  const line = (text: string) => writer.write(`${CLEAR}${text}\n`);
  const sink = (event: CliEvent) => {
    if (event.event === 'progress') {
      if (running) running = { ...running, progress: event };
    } else if (event.event !== 'step') {
      line(headLine(event, style) ?? '');
    } else if (event.status === 'started') {
      running = { event, sinceMs: performance.now() };
    } else {
      running = undefined;
      line(endLine(event, style, columnsMax()));
    }
  };
  return {
    sink,
    async close() {
      clearInterval(timer);
      running = undefined;
      writer.write(CLEAR);
      await writer.drained(STILL_MS);
    },
  };
}
