import type { Checkup } from './checkup.ts';
import { examineFiles } from './examine-files.ts';
import { examineGuest } from './examine-guest.ts';
import { examineHeads } from './examine-heads.ts';
import { examineImages } from './examine-images.ts';
import { examineRecords } from './examine-records.ts';
import { examineVolumes } from './examine-volumes.ts';
import type { Finding } from './finding.ts';

/** Everything that is wrong with a domain, or worth knowing; the guest's life first. Pure. */
export function examine(checkup: Checkup): Finding[] {
  return [
    ...examineGuest(checkup),
    ...examineRecords(checkup),
    ...examineHeads(checkup),
    ...examineImages(checkup),
    ...examineVolumes(checkup),
    ...examineFiles(checkup),
  ];
}
