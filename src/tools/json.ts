/** A value that survives JSON unharmed: all that errors, call logs and QMP carry. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** The arguments of a command, or the detail of an error. */
export type JsonObject = { readonly [key: string]: Json };
