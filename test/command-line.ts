/** The command line as it is published; made anew before the first test. It starts in a third of the source's time. */
export const CLI = new URL('../dist/cli/main.js', import.meta.url).pathname;
