/**
 * The database's history: the n-th entry takes version n to n + 1. Entries are never changed once
 * they are released, only added.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE operation (
  id TEXT PRIMARY KEY,
  subject TEXT NOT NULL,
  case_id TEXT NOT NULL,
  case_version INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'needsAttention', 'committed', 'rolledBack')),
  opened_at INTEGER NOT NULL,
  closed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX one_open_operation ON operation (subject) WHERE status IN ('open', 'needsAttention');
CREATE INDEX operation_by_subject ON operation (subject, opened_at);

CREATE TABLE record (
  position INTEGER PRIMARY KEY,
  operation TEXT NOT NULL REFERENCES operation (id),
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  body TEXT NOT NULL,
  prev TEXT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (operation, seq)
) STRICT;
CREATE TABLE head (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  position INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;
INSERT INTO head VALUES (1, 0, '${'0'.repeat(64)}');

CREATE TABLE domain (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot (
  domain TEXT NOT NULL REFERENCES domain (name),
  name TEXT NOT NULL,
  parent TEXT,
  created_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (domain, name)
) STRICT, WITHOUT ROWID;
`,
];
