import { expect, test } from 'vitest';
import { parseLocks } from '../../src/tools/lvm-locks.ts';
import { fromMapperName, logicalVolumeAt, namedBy } from '../../src/tools/lvm-name.ts';
import { parseReport } from '../../src/tools/lvm-report.ts';

test('a volume is known by both of its paths, hyphens and all; what lies elsewhere is none', async () => {
  expect(namedBy('/dev/vg0/web1')).toEqual({ vg: 'vg0', lv: 'web1' });
  expect(namedBy('/dev/mapper/my--vg-web--1')).toEqual({ vg: 'my-vg', lv: 'web-1' });
  expect(fromMapperName('plain')).toBeUndefined();
  for (const path of ['/dev/sda', '/dev/disk/by-id', '/dev/zvol/pool/x', '/dev/vg0/'])
    expect(namedBy(path), path).toBeUndefined();
  expect(await logicalVolumeAt('/dev/null')).toBeUndefined();
  expect(await logicalVolumeAt('/srv/vm/disk.raw')).toBeUndefined();
});

test('a volume that is this host’s alone is known by its lock, not by what lvs says', () => {
  const info = [
    'VG vgs lock_type=sanlock zovljp-y38O-aeyW-yGFd-uVu6-QytV-Wy3krz',
    'LS sanlock lvm_vgs',
    'LK VG un ver 6',
    'LK GL ex ver 0',
    'LK LV ex quuIag-COoC-pJ2F-eMEm-htjB-u9YN-ruk6VU',
    'LK LV sh Ik861t-Ztgb-TPWv-VScO-9gLr-64jf-tbR3k2',
    'LK LV un gGIWzb-ceSh-5I8s-38tz-XxLM-6jA4-4F10jq',
  ].join('\n');
  expect([...parseLocks(info)]).toEqual(['quuIag-COoC-pJ2F-eMEm-htjB-u9YN-ruk6VU']);
  expect(parseLocks('')).toEqual(new Set());
});

const row = {
  ...{ vg_name: 'vg0', lv_name: 'web1', lv_uuid: 'u', segtype: 'linear', lv_size: '67108864' },
  ...{ origin: '', pool_lv: '', data_percent: '', metadata_percent: '', lv_tags: 'a,b' },
  ...{ lv_merging: '0', lv_merge_failed: '0', lv_snapshot_invalid: '0', lv_active: 'active' },
  ...{ lv_device_open: '1', lv_suspended: '0', vg_free: '0', vg_extent_size: '4194304' },
  ...{ vg_clustered: '0', vg_shared: '0' },
};
const report = (...lv: object[]) => JSON.stringify({ report: [{ lv }] });

test('a report of LVM 2.03 is read: sizes, tags, what is empty, and names in brackets', () => {
  const hidden = {
    ...row,
    lv_name: '[snap]',
    origin: '[web1]',
    lv_merging: '1',
    data_percent: '0.07',
  };
  const [volume, snapshot] = parseReport(report(row, { ...row, segtype: 'mirror' }, hidden));
  expect(volume).toMatchObject({ name: 'web1', origin: null, pool: null, dataPercent: null });
  expect(volume).toMatchObject({ tags: ['a', 'b'], open: true, active: true, segment: 'linear' });
  expect(snapshot).toMatchObject({
    name: 'snap',
    origin: 'web1',
    merging: true,
    dataPercent: 0.07,
  });
});

test('what LVM does not promise is no report', () => {
  expect(() => parseReport('  No volume groups found')).toThrow('did not print JSON');
  expect(() => parseReport(report({ ...row, lv_size: '64m' }))).toThrow('does not promise');
});
