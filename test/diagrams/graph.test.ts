import { describe, expect, test } from 'vitest';
import { MACHINES } from '../../machines/index.ts';
import { type Saga, saga } from '../../machines/saga.ts';
import { graphOf } from '../../src/diagrams/graph.ts';
import { attentionCauses, lanesOf } from '../../src/diagrams/lanes.ts';

/** A case with a compensation of either sort, and a step behind its pivot. */
const sample = saga({
  id: 'sample',
  version: 3,
  title: 'A sample',
  story: 'Two lines\nof story.',
  steps: [
    { name: 'look', deadlineMs: 1, says: 'look' },
    {
      name: 'make',
      deadlineMs: 1,
      says: 'make',
      undo: { name: 'unmake', deadlineMs: 1, says: 'unmake' },
    },
    {
      name: 'stop',
      deadlineMs: 1,
      says: 'stop',
      window: true,
      undo: { name: 'run', liveness: true, deadlineMs: 1, says: 'run' },
    },
    { name: 'decide', deadlineMs: 1, says: 'decide', pivot: true },
    { name: 'tell', deadlineMs: 1, says: 'tell' },
  ],
});

const waysIn = (of: Saga, from: string, to: string) =>
  graphOf(of).edges.find(edge => edge.from === from && edge.to === to)?.ways;

describe('the graph of a machine', () => {
  test('knows why each edge is taken', () => {
    expect(waysIn(sample, 'look', 'make')).toEqual(['done']);
    expect(waysIn(sample, 'look', 'rolledBack')).toEqual(['aborted', 'failed', 'late']);
    expect(waysIn(sample, 'look', 'needsAttention')).toEqual(['inDoubt']);
    expect(waysIn(sample, 'decide', 'undo stop')).toEqual(['aborted', 'failed', 'inDoubt', 'late']);
    expect(waysIn(sample, 'tell', 'tell')).toEqual(['retry']);
    expect(waysIn(sample, 'tell', 'undo stop')).toEqual(['gaveUp', 'inDoubt']);
    expect(waysIn(sample, 'undo stop', 'undo make')).toEqual(['done']);
    expect(waysIn(sample, 'undo stop', 'needsAttention')).toEqual(['gaveUp', 'held', 'inDoubt']);
    expect(waysIn(sample, 'undo make', 'needsAttention')).toEqual(['gaveUp', 'inDoubt']);
    expect(waysIn(sample, 'needsAttention', 'tell')).toEqual(['recover']);
  });

  test('leaves out a transition that the machine names but no run can take', () => {
    const listed = [...(sample.machine.states['undo stop']?.transitions.values() ?? [])]
      .flat()
      .flatMap(({ target }) => target?.map(({ key }) => key) ?? []);
    expect(listed).toContain('rolledBack');
    expect(waysIn(sample, 'undo stop', 'rolledBack')).toBeUndefined();
  });

  test('refuses a machine whose states say nothing about themselves', () => {
    const mute = Object.create(sample, {
      machine: { value: sample.machine.provide({}) },
    }) as Saga;
    const state = mute.machine.states.look;
    Object.defineProperty(state, 'meta', { value: undefined });
    expect(() => graphOf(mute)).toThrow('the state look says nothing about itself');
  });

  test('says in words what ends in needsAttention', () => {
    expect(attentionCauses(graphOf(sample))).toEqual([
      'an effect is in doubt',
      'an undo was given up',
      'a step behind the pivot was given up',
    ]);
  });
});

describe.each([...MACHINES.values()].map(it => [it.id, it] as const))(
  'the graph of %s',
  (_, it) => {
    const graph = graphOf(it);
    const lanes = lanesOf(graph);

    test('holds every state of the machine, each in one lane or as an outcome', () => {
      const states = Object.keys(it.machine.states);
      expect(graph.nodes.map(({ id }) => id)).toEqual(states);
      const placed = [...lanes.forward, ...lanes.life, ...lanes.tidy].map(({ id }) => id);
      const outcomes = ['committed', 'rolledBack', 'needsAttention'];
      expect([...placed, ...outcomes].sort()).toEqual([...states].sort());
    });

    test('takes only ways that the machine itself names', () => {
      for (const { from, to } of graph.edges) {
        const named = [...(it.machine.states[from]?.transitions.values() ?? [])].flat();
        expect(named.some(({ target }) => target?.some(({ key }) => key === to))).toBe(true);
      }
    });

    test('reaches every state from the first one', () => {
      const reached = new Set([graph.initial]);
      for (let size = 0; size < reached.size; ) {
        size = reached.size;
        for (const { from, to } of graph.edges) if (reached.has(from)) reached.add(to);
      }
      expect([...reached].sort()).toEqual(graph.nodes.map(({ id }) => id).sort());
    });

    test('draws the way forward as one unbroken line that ends in committed', () => {
      const line = lanes.edges.filter(({ kind }) => kind === 'onward');
      const names = [...lanes.forward.map(({ id }) => id), 'committed'];
      expect(line.map(({ from }) => from)).toEqual(names.slice(0, -1));
      expect(line.map(({ to }) => to)).toEqual(names.slice(1));
    });

    test('leads behind the pivot to no compensation but those of the guest’s life', () => {
      const late = new Set(lanes.forward.filter(({ committed }) => committed).map(({ id }) => id));
      const tidy = new Set(lanes.tidy.map(({ id }) => id));
      expect(graph.edges.filter(({ from, to }) => late.has(from) && tidy.has(to))).toEqual([]);
    });
  },
);
