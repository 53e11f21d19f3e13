import { planRequest } from '../operations/run-request.ts';
import { checkName } from '../plan/names.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlannedStep } from '../plan/preview.ts';
import type { Request } from '../plan/request.ts';
import type { Command } from '../toolstacks/port.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { bytes, columns, duration, fill, shellWord } from './format.ts';
import type { Invocation } from './invocation.ts';
import { seeing } from './newcomer.ts';
import { withReading } from './open-home.ts';
import { json, out, type Style, stylist, widthOf } from './output.ts';

/** `domsnap plan …`: what would run, or why not. Touches nothing. */
export function plan(call: Invocation, request: Request): Promise<Exit> {
  checkName('domain', request.domain);
  if (request.name !== undefined) checkName('snapshot', request.name);
  return withReading(call, async session => {
    const planned = await planRequest(await seeing(call, session, request.domain), request);
    const exit = planned.plan.refusals.length > 0 ? EXIT.refused : EXIT.done;
    if (call.json) json(documentOf(planned.plan, planned.steps, exit));
    else out(textOf(planned.plan, planned.steps, stylist(process.stdout)));
    return exit;
  });
}

function documentOf(plan: Plan, steps: readonly PlannedStep[], exit: Exit): object {
  const { saga, input, refusals, notes, bytesToMove, space, conditions } = plan;
  return {
    ok: exit === EXIT.done,
    exit,
    domain: input.domain,
    name: input.name,
    case: saga.id,
    title: saga.title,
    conditions,
    pivot: steps.find(({ pivot }) => pivot)?.step ?? null,
    steps,
    bytesToMove,
    space,
    notes,
    refusals,
  };
}

function textOf(plan: Plan, steps: readonly PlannedStep[], style: Style): string {
  const { saga, input, refusals, notes, bytesToMove, space } = plan;
  const { operation, domain, name } = input;
  const wide = Math.min(widthOf(process.stdout), 110);
  const needs = space.map(
    need => `${bytes(need.bytes)} at its peak in ${need.folder} (${bytes(need.freeBytes)} free)`,
  );
  const facts: [string, string][] = [
    ['case', saga.id],
    ['to move', bytesToMove > 0 ? bytes(bytesToMove) : 'nothing'],
    ...(needs.length > 0 ? needs : ['nothing']).map(text => ['space', text] as [string, string]),
  ];
  const parts = [
    `${style('bold', `${operation} ${domain} ${name}`)} · ${saga.title}`,
    ...columns(facts.map(([key, value]) => [`  ${style('dim', key)}`, value])),
    '',
    ...steps.flatMap((step, index) => stepLines(step, index, style, wide)),
    '',
    `  ${style('yellow', '┃')} ${style('dim', 'the guest may stand still')}   ${style('magenta', '◆ pivot')} ${style('dim', 'behind it there is only forward; before it, all is taken back')}`,
  ];
  if (notes.length > 0) parts.push('', style('bold', 'Decisions'));
  for (const { what, why } of notes) parts.push(`  · ${what}${why && style('dim', `: ${why}`)}`);
  if (refusals.length > 0) parts.push('', style('red', 'It would be refused'));
  for (const { message, hint } of refusals) {
    parts.push(`  ${style('red', '✘')} ${message}`);
    if (hint) parts.push(`    ${style('cyan', '→')} ${hint}`);
  }
  return parts.join('\n');
}

function stepLines(step: PlannedStep, index: number, style: Style, wide: number): string[] {
  const gutter = step.window ? style('yellow', '┃') : ' ';
  const pivot = step.pivot ? `  ${style('magenta', '◆ pivot')}` : '';
  const number = String(index + 1).padStart(2);
  const deadline = style('dim', `≤ ${duration(step.deadlineMs)}`);
  return [
    `  ${gutter} ${number} ${style('bold', step.step)}${pivot}  ${deadline}`,
    ...fill(step.idle ? `nothing to do here (${step.says})` : step.says, wide - 8)
      .split('\n')
      .map(line => `  ${gutter}    ${style('dim', line)}`),
    ...step.commands.map(command => `  ${gutter}      ${commandText(command, style)}`),
  ];
}

/** A command as a person would type it, or as a monitor takes it. */
export function commandText(
  { tool, command }: Pick<Command, 'command'> & { tool: string },
  style: Style,
): string {
  if (tool === 'exec' && Array.isArray(command)) {
    return `${style('dim', '$')} ${command.map(word => shellWord(String(word))).join(' ')}`;
  }
  if (tool === 'file' && Array.isArray(command)) {
    return `${style('dim', 'file')} ${command.map(word => shellWord(String(word))).join(' ')}`;
  }
  return `${style('dim', tool)} ${JSON.stringify(command)}`;
}
