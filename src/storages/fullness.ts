/** From here on the room of a snapshot, or a pool, should be extended. */
export const FILLING_PERCENT = 80;
/** From here on what depends on it is about to be hurt, and nothing is begun on such a pool. */
export const FULL_PERCENT = 95;

/** How much of its room a snapshot of a volume has used, in whole percent. */
export const percentUsed = (room: { readonly usedBytes: number; readonly sizeBytes: number }) =>
  Math.round((100 * room.usedBytes) / room.sizeBytes);
