import type { Ballast } from './ballast.ts';
import { outOfRoom } from './health.ts';
import { homeErrorOf } from './home-trouble.ts';

/**
 * Do something small in a home folder; where it finds no room, again with some that the ballast lends.
 * What an open operation needs to come to its end begins with this. Throws HomeError.
 */
export function findRoom<T>(home: string, ballast: Ballast, body: () => T): T {
  for (;;) {
    try {
      return body();
    } catch (error) {
      // Somebody who fills the disk may be quicker: as long as there is some of it left.
      if (!outOfRoom(error) || !ballast.lend()) throw homeErrorOf(home, error);
    }
  }
}
