/** Nobody reads the calls of the tests' own tools. */
export const tools = { log: () => {} };
