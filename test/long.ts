/** Whether this is the long form of the suite: `DOMSNAP_LONG=1`. What it leaves out otherwise, it names. */
export const LONG = (process.env.DOMSNAP_LONG ?? '') !== '';
