import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const UNIT = 'src/setup/domsnap-recover.service';
const lines = readFileSync(join(ROOT, UNIT), 'utf8').split('\n');

describe('the unit that recovers at boot', () => {
  test('is shipped with the package', () => {
    const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(files).toContain(UNIT);
  });

  test('does not take along the domain that a revert has started again', () => {
    expect(lines).toContain('KillMode=process');
  });

  test('has the home that root has without it, and a merge may take its time', () => {
    expect(lines).toContain('Environment=DOMSNAP_HOME=/var/lib/domsnap');
    expect(lines).toContain('ExecStart=domsnap recover --reason boot');
    expect(lines).toContain('TimeoutStartSec=infinity');
  });
});
