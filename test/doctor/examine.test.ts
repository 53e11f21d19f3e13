import { describe, expect, test } from 'vitest';
import { examine } from '../../src/doctor/examine.ts';
import {
  BASE,
  checkup,
  DONE,
  HEAD,
  type Ill,
  image,
  SNAPSHOT,
  TAKEN_BACK,
  UNKNOWN,
} from './healthy.ts';

const codes = (ill: Ill) => examine(checkup(ill)).map(({ code }) => code);
/** The only finding. */
function only(ill: Ill) {
  const [finding, ...more] = examine(checkup(ill));
  expect(more).toEqual([]);
  if (!finding) throw new Error('nothing was found');
  return finding;
}

test('a healthy domain has no findings', () => {
  expect(examine(checkup())).toEqual([]);
});

test('every finding says what, what it means and what to type', () => {
  const ill: Ill = {
    view: { runState: 'paused', rawState: 'paused' },
    frozen: true,
    facts: { unreadable: new Map([[BASE.path, `${BASE.path} is not there`]]) },
    forbidden: [{ path: '/vm', why: 'takes no files of this user' }],
  };
  const findings = examine(checkup(ill));
  expect(findings.length).toBeGreaterThan(3);
  for (const { what, meaning, hint } of findings) {
    for (const text of [what, meaning, hint]) expect(text).toMatch(/\w+ \w+/);
  }
});

describe('a guest that stands still', () => {
  const paused = { view: { runState: 'paused', rawState: 'paused' } } as const;
  const last = { id: DONE, caseId: 'create.x', runAfter: 'running' } as const;

  test('is let run only on somebody’s word, where domsnap has not stopped it', () => {
    const finding = only(paused);
    expect(finding).toMatchObject({
      code: 'paused-guest',
      severity: 'attention',
      repair: { kind: 'resume' },
      proven: false,
    });
    expect(finding.hint).toContain('--fix --sure paused-guest');
    const afterOne = only({ ...paused, last: { ...last, leftStanding: false, leftFrozen: false } });
    expect(afterOne.proven).toBe(false);
  });

  test('is let run where the journal proves that domsnap stopped it', () => {
    const finding = only({ ...paused, last: { ...last, leftStanding: true, leftFrozen: false } });
    expect(finding).toMatchObject({ repair: { kind: 'resume' }, proven: true });
  });

  test('is as it was asked to be after an operation that left it so', () => {
    const asked = { ...last, runAfter: 'paused', leftStanding: false, leftFrozen: false } as const;
    expect(only({ ...paused, last: asked })).toMatchObject({ severity: 'advice', proven: false });
  });

  test('belongs to the operation that is open, whose recovery sees to it', () => {
    const open = { id: DONE, subject: 'web1', caseId: 'create.x', caseVersion: 1, openedAt: 1 };
    const finding = only({ ...paused, open: { ...open, status: 'open', closedAt: null } });
    expect(finding).toMatchObject({
      code: 'open-operation',
      repair: { kind: 'recover', operation: DONE },
      proven: true,
    });
  });
});

test('frozen file systems are thawed on proof only: a backup tool may have frozen them', () => {
  expect(only({ frozen: true })).toMatchObject({ code: 'frozen-guest', proven: false });
  const last = { id: DONE, caseId: 'create.x', runAfter: 'running', leftStanding: false } as const;
  const proven = only({ frozen: true, last: { ...last, leftFrozen: true } });
  expect(proven).toMatchObject({ repair: { kind: 'thaw' }, proven: true });
});

test('a guest that QEMU stopped for a full disk is explained', () => {
  const finding = only({ view: { runState: 'other', rawState: 'io-error' } });
  expect(finding.code).toBe('unsettled');
  expect(finding.hint).toContain('make room');
});

test('a domain that does not answer hides neither its images nor its records', () => {
  const ill = { silent: 'another client has the monitor', view: { runState: 'other' } } as const;
  const unreadable = new Map([[HEAD.path, `${HEAD.path} is not there`]]);
  expect(codes({ ...ill, facts: { unreadable } })).toEqual(['no-answer', 'missing-image']);
});

describe('block jobs', () => {
  const job = (id: string, kind: string, status: string) => ({
    view: { jobs: [{ id, kind, status, error: null }] },
  });
  test('of strangers are left alone', () => {
    expect(only(job('backup0', 'backup', 'running'))).toMatchObject({
      code: 'foreign-job',
      repair: null,
    });
    expect(only(job(`domsnap-${UNKNOWN}-up-vda`, 'stream', 'running')).code).toBe('foreign-job');
  });
  test('of a closed operation of ours are ended where that harms nothing', () => {
    const repair = { kind: 'jobs', jobs: [`domsnap-${DONE}-up-vda`] };
    for (const [kind, status] of [
      ['stream', 'running'],
      ['commit', 'concluded'],
    ] as const) {
      const finding = only(job(`domsnap-${DONE}-up-vda`, kind, status));
      expect(finding).toMatchObject({ code: 'left-over-job', repair, proven: true });
    }
  });
  test('that would leave a base half written are not called off', () => {
    expect(only(job(`domsnap-${DONE}-down-vda`, 'commit', 'ready'))).toMatchObject({
      code: 'left-over-job',
      repair: null,
    });
  });
});

describe('a head that is not the recorded one', () => {
  const OTHER = { path: '/vm/other.qcow2', format: 'qcow2' };
  test('follows the running domain where it stands on the recorded one', () => {
    const chain = [OTHER, HEAD, BASE];
    expect(only({ view: { disks: [{ device: 'vda', chain }] } })).toMatchObject({
      code: 'stale-head',
      repair: { kind: 'heads', heads: [{ device: 'vda', head: OTHER }] },
      proven: true,
    });
  });
  test('is a person’s to judge where it does not stand on it', () => {
    const finding = only({ view: { disks: [{ device: 'vda', chain: [OTHER] }] } });
    expect(finding).toMatchObject({ code: 'stale-head', proven: false });
  });
  test('is never taken over where it is a snapshot’s own image', () => {
    const finding = only({ view: { disks: [{ device: 'vda', chain: [BASE] }] } });
    expect(finding).toMatchObject({ code: 'stale-head', repair: null });
    expect(finding.meaning).toContain('the snapshot s1 of web1');
  });
  test('is not spoken of while the domain is off', () => {
    expect(codes({ view: { runState: 'off', disks: [] } })).toEqual([]);
  });
});

test('a head on which a snapshot or another image stands is found', () => {
  const written = checkup().facts.domain;
  const onBase = { ...written, disks: [{ device: 'vda', head: BASE }] };
  const view = { disks: [{ device: 'vda', chain: [BASE] }] };
  expect(codes({ facts: { domain: onBase }, view })).toEqual(['written-snapshot']);
  const child = { path: '/vm/child.qcow2', format: 'qcow2' };
  const images = new Map([...checkup().facts.images, [child.path, image(child, HEAD)]]);
  expect(codes({ facts: { images } })).toEqual(['shared-head']);
  const owners = new Map([[HEAD.path, ['vda of web1', 'vda of web2']]]);
  expect(only({ owners }).what).toContain('vda of web2');
});

describe('images', () => {
  test('a missing base names who needs it, and the command where it lies in the trash', () => {
    const facts = {
      unreadable: new Map([[BASE.path, `${BASE.path} is not there`]]),
      images: new Map([[HEAD.path, image(HEAD, BASE)]]),
    };
    const finding = only({ facts });
    expect(finding).toMatchObject({ code: 'missing-image', repair: null });
    expect(finding.meaning).toContain('vda of web1, s1');
    const trashed = '/vm/.domsnap-trash/x/base.qcow2';
    expect(only({ facts, inTrash: new Map([[BASE.path, trashed]]) }).hint).toContain(
      `mv -n '${trashed}' '${BASE.path}'`,
    );
  });
  test('a missing image that only a disk names which is no part of a snapshot needs nobody', () => {
    const gone = { path: '/vm/gone.raw', format: 'raw' };
    const disks = [...SNAPSHOT.disks, { device: 'vdb', mode: 'none' as const, image: gone }];
    const unreadable = new Map([[gone.path, `${gone.path} is not there`]]);
    expect(codes({ snapshot: { disks }, facts: { unreadable } })).toEqual([]);
  });
  test('a damaged one is told apart from one that is missing', () => {
    const unreadable = new Map([[HEAD.path, `${HEAD.path} is marked as corrupt`]]);
    expect(only({ facts: { unreadable } }).hint).toContain('qemu-img check');
  });
  test('an internal snapshot that somebody deleted', () => {
    const disks = [{ device: 'vda', mode: 'internal' as const, image: HEAD, tag: 's1.x' }];
    expect(codes({ snapshot: { disks } })).toEqual(['missing-tag']);
    const images = new Map([[HEAD.path, image(HEAD, null, ['s1.x'])]]);
    expect(codes({ snapshot: { disks }, facts: { images } })).toEqual([]);
  });
  test('memory that is missing, truncated, or read by others', () => {
    const of = (found: [string, number][]) => ({ facts: { memoryFiles: new Map(found) } });
    expect(only(of([])).hint).toContain('revert web1 s1 --off');
    expect(codes(of([['/vm/s1.memory', 400]]))).toEqual(['missing-memory']);
    expect(codes(of([['/vm/s1.memory', 1_024]]))).toEqual([]);
    expect(only({ exposed: ['/vm/s1.memory'] })).toMatchObject({
      code: 'exposed-memory',
      severity: 'advice',
    });
  });
  test('one that a stranger has open while the domain is off', () => {
    const facts = { holders: new Map([[HEAD.path, [77]]]) };
    expect(only({ facts, view: { runState: 'off', disks: [] } }).hint).toContain(
      'ps -o args -p 77',
    );
  });
  test('a very long chain is advice', () => {
    const layers = Array.from({ length: 27 }, (_, n) => ({ path: `/vm/${n}`, format: 'qcow2' }));
    const images = new Map(
      layers.map((layer, n) => [layer.path, image(layer, layers[n + 1] ?? null)]),
    );
    const domain = {
      ...checkup().facts.domain,
      disks: [{ device: 'vda', head: layers[0] ?? HEAD }],
    };
    const facts = { images, domain, snapshots: [], memoryFiles: new Map() };
    const view = { disks: [{ device: 'vda', chain: layers }] };
    const findings = examine(
      checkup({ facts: { ...facts, domain: { ...domain, current: null } }, view }),
    );
    expect(findings).toMatchObject([{ code: 'long-chain', severity: 'advice' }]);
  });
});

describe('records', () => {
  test('a snapshot that nobody deletes to the end', () => {
    expect(only({ snapshot: { state: 'dissolving' } })).toMatchObject({
      code: 'dissolving-snapshot',
      hint: expect.stringContaining('domsnap delete web1 s1'),
    });
  });
  test('a reservation that nobody makes', () => {
    expect(only({ snapshot: { state: 'creating', operation: TAKEN_BACK } }).code).toBe(
      'unfinished-snapshot',
    );
  });
  test('a parent that is not in the tree', () => {
    expect(codes({ snapshot: { parent: 's0' } })).toEqual(['lost-parent']);
    const domain = { ...checkup().facts.domain, current: 's9' };
    expect(codes({ facts: { domain } })).toEqual(['lost-parent']);
  });
});

describe('files that bear an operation’s id and that nothing owns', () => {
  const path = `/vm/web1.vda.s2.${TAKEN_BACK}.qcow2`;
  const stray = { path, operation: TAKEN_BACK, status: 'rolledBack', neededBy: null } as const;
  test('go to the trash where their operation was taken back', () => {
    expect(only({ strays: [stray, { ...stray, path: `${path}2` }] })).toMatchObject({
      code: 'orphan-files',
      repair: { kind: 'orphans', paths: [path, `${path}2`] },
      proven: true,
    });
  });
  test('stay where something needs them', () => {
    expect(only({ strays: [{ ...stray, neededBy: 'process 7' }] })).toMatchObject({
      code: 'used-orphan',
      repair: null,
    });
  });
  test('stay where their operation was done: they may be the only copy of a forgotten disk', () => {
    const finding = only({ strays: [{ ...stray, status: 'committed', operation: DONE }] });
    expect(finding).toMatchObject({ code: 'unowned-file', repair: null });
  });
  test('stay where this journal does not know their operation', () => {
    const finding = only({ strays: [{ ...stray, status: null, operation: UNKNOWN }] });
    const told = { code: 'unknown-file', repair: null, severity: 'advice', domain: null };
    expect(finding).toMatchObject(told);
    const used = only({
      strays: [{ ...stray, status: null, operation: UNKNOWN, neededBy: 'process 7' }],
    });
    expect(used).toMatchObject({ ...told, hint: 'leave it where it is' });
    expect(used.meaning).toContain('process 7 needs it');
  });
  test('an image that was never whole goes, too', () => {
    const draft = { ...stray, path: `${path}.domsnap-draft`, status: 'committed' as const };
    expect(only({ strays: [draft] }).repair).toEqual({ kind: 'orphans', paths: [draft.path] });
  });
});

test('what is in between because an operation is open is its own', () => {
  const open = { id: DONE, subject: 'web1', caseId: 'create.x', caseVersion: 1, openedAt: 1 };
  const domain = { ...checkup().facts.domain, disks: [{ device: 'vda', head: BASE }] };
  const ill: Ill = {
    open: { ...open, status: 'open', closedAt: null },
    facts: { domain },
    snapshot: { state: 'creating' },
  };
  expect(codes(ill)).toEqual(['open-operation']);
});
