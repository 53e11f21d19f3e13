/**
 * Named places at which a test can have the engine die. In the field every call is a no-op.
 * `STEP:before` (recorded, not begun), `STEP:inside` (after the effect's first call of a tool),
 * `STEP:after` (done, not recorded), `record:N` (this life's N-th record is written).
 */
export interface Failpoints {
  hit(place: string): void;
}

/** No test is about. */
export const noFailpoints: Failpoints = { hit() {} };

/**
 * Fail points armed by a text such as `snapshotDisks:inside` or `unpauseDomain:before,record:7`:
 * the process kills itself there with SIGKILL, as a crash would.
 */
export function armedFailpoints(places: string, die: () => void): Failpoints {
  const armed = new Set(places.split(',').map(place => place.trim()));
  return {
    hit(place) {
      if (armed.has(place)) die();
    },
  };
}
