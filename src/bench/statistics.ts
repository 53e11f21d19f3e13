/** The middle of some measurements, and how far they spread. */
export interface Spread {
  readonly count: number;
  readonly median: number;
  /** First and third quartile. */
  readonly q1: number;
  readonly q3: number;
  readonly least: number;
  readonly most: number;
}

/** Median and quartiles; between two values they are interpolated (Hyndman and Fan, type 7). */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const below = sorted[Math.floor(place)] as number;
    const above = sorted[Math.ceil(place)] as number;
    return below + (above - below) * (place - Math.floor(place));
  };
  return {
    count: sorted.length,
    median: at(0.5),
    q1: at(0.25),
    q3: at(0.75),
    least: at(0),
    most: at(1),
  };
}

/** Growth of `y` for each unit of `x`, by least squares. */
export function slopeOf(points: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (of: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const spreadX = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  if (spreadX === 0) throw new Error('a slope needs two places');
  return points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / spreadX;
}
