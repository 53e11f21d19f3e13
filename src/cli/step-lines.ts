import type { CliEvent, ProgressEvent, StepEvent } from './events.ts';
import { bytes, cut, duration } from './format.ts';
import type { Style } from './output.ts';

const NAME_WIDTH = 18;
const TIME_WIDTH = 9;
const BAR_WIDTH = 24;

/** The line of a step that has come to its end. Steps in the window carry a bar: the guest may stand still. */
export function endLine(event: StepEvent, style: Style, columnsMax: number): string {
  const { step, says, status, kind, window, elapsedMs, idle, error } = event;
  const mark = idle
    ? style('dim', '–')
    : status === 'done'
      ? style('green', kind === 'undo' ? '↶' : '✔')
      : style(status === 'aborted' ? 'yellow' : 'red', status === 'aborted' ? '■' : '✘');
  const gutter = window ? style('yellow', '┃') : ' ';
  const time = (elapsedMs === null ? '' : duration(elapsedMs)).padStart(TIME_WIDTH);
  const room = columnsMax - NAME_WIDTH - TIME_WIDTH - 7;
  const done = idle ? 'nothing to do here' : says;
  const text = error ? error.message : status === 'deadline' ? 'the deadline passed' : done;
  const shown = status === 'done' ? style('dim', cut(text, room)) : style('red', text);
  return ` ${gutter}${mark} ${step.padEnd(NAME_WIDTH)}${style('dim', time)}  ${shown}`;
}

/** The line of the step that is under way. */
export function runningLine(
  event: StepEvent,
  progress: ProgressEvent | undefined,
  sinceMs: number,
  frame: string,
  style: Style,
  columnsMax: number,
): string {
  const gutter = event.window ? style('yellow', '┃') : ' ';
  const time = sinceMs < 1000 ? '' : duration(sinceMs);
  const room = columnsMax - NAME_WIDTH - TIME_WIDTH - 7;
  const shown = progress ? progressText(progress) : event.says;
  const head = ` ${gutter}${style('cyan', frame)} ${event.step.padEnd(NAME_WIDTH)}`;
  return `${head}${time.padStart(TIME_WIDTH)}  ${cut(shown, room)}`;
}

/** `━━━━━━──── 512 MiB of 1.0 GiB`. */
export function progressText({ done, total, unit }: ProgressEvent): string {
  const show = unit === 'bytes' ? bytes : String;
  if (total <= 0) return show(done);
  const filled = Math.min(BAR_WIDTH, Math.floor((done / total) * BAR_WIDTH));
  const percent = `${Math.min(100, Math.floor((done / total) * 100))}%`.padStart(4);
  return `${'━'.repeat(filled)}${'─'.repeat(BAR_WIDTH - filled)}${percent}  ${show(done)} of ${show(total)}`;
}

/** What is told between the steps; nothing for events that have lines of their own. */
export function headLine(event: CliEvent, style: Style): string | undefined {
  switch (event.event) {
    case 'planned': {
      const notes = event.notes.map(({ what, why }) =>
        style('dim', `  · ${what}${why && `: ${why}`}`),
      );
      const [operation = ''] = event.case.split('.');
      const title = `${style('bold', `${operation} ${event.domain} ${event.name}`)} · ${event.title}`;
      return [title, ...notes].join('\n');
    }
    case 'recovering':
      return `${style('bold', `recover ${event.domain}`)} · the operation ${event.operation} (${event.case}) was left open: it goes on`;
    case 'signal':
      return style('yellow', `${event.signal}: ${event.says}`);
    default:
      return undefined;
  }
}
