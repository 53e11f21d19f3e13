/** Set, what the tests have found is written down instead of compared. */
export const writing = (): boolean => (process.env.DOMSNAP_WRITE_TABLE ?? '') !== '';
