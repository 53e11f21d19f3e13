import { accessSync, constants, existsSync, lstatSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { outOfRoom } from './health.ts';
import { HomeError, type HomeTrouble, NoRoomError } from './home-error.ts';

/** What an error of the file system or of SQLite means for whoever wants to use a home folder. */
export function homeErrorOf(home: string, cause: unknown): HomeError {
  if (cause instanceof HomeError) return cause;
  const holdsJournal = mayHoldJournal(home);
  if (outOfRoom(cause)) return new NoRoomError(home, { holdsJournal, cause });
  const { trouble, why } = troubleOf(home) ?? {
    trouble: 'other' as const,
    why: cause instanceof Error ? cause.message : String(cause),
  };
  const message = `the home folder ${home} cannot be used: ${why}`;
  return new HomeError(message, { trouble, holdsJournal, cause });
}

/** True unless it is certain that no database is there: what cannot be looked at may hold one. */
export function mayHoldJournal(home: string): boolean {
  try {
    lstatSync(join(home, 'domsnap.db'));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== 'ENOENT' && code !== 'ENOTDIR';
  }
}

/** What keeps this process from writing in a home folder, or from making it; undefined where nothing does. */
export function troubleOf(home: string): { trouble: HomeTrouble; why: string } | undefined {
  try {
    let place = home;
    while (!existsSync(place) && dirname(place) !== place) {
      mayBeLookedFor(place);
      place = dirname(place);
    }
    if (!statSync(place).isDirectory()) {
      const why = place === home ? 'it is not a folder' : `${place} is not a folder`;
      return { trouble: 'not-a-folder', why };
    }
    accessSync(place, constants.W_OK | constants.X_OK);
    const database = join(home, 'domsnap.db');
    if (existsSync(database)) accessSync(database, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === 'EROFS') return { trouble: 'read-only', why: 'its file system is read-only' };
    if (code === 'EACCES' || code === 'EPERM') {
      return { trouble: 'not-allowed', why: `this user may not write to ${path}` };
    }
    return undefined;
  }
}

/** Where one may not look, nothing seems to be there. */
function mayBeLookedFor(place: string): void {
  try {
    lstatSync(place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') throw error;
  }
}
