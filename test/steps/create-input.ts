/** What a create of a running domain hands to its steps; its disks, and how it freezes, are the test's. */
export const createInput = (own: {
  readonly quiesce: string;
  readonly disks: readonly object[];
}) => ({
  operation: 'create',
  domain: 'web1',
  name: 's1',
  at: 0,
  runBefore: 'running',
  runAfter: 'running',
  parent: null,
  description: '',
  unfrozenWhy: '',
  memory: null,
  ...own,
});
