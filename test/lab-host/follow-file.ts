import { closeSync, openSync, readSync } from 'node:fs';

const EVERY_MS = 100;

/** Hear what is appended to a file that is there; returns what ends that, after all there is was heard. */
export function followFile(path: string, heard: (bytes: Buffer) => void): () => void {
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(64 * 1024);
  const read = () => {
    for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer))
      heard(Buffer.from(buffer.subarray(0, length)));
  };
  const timer = setInterval(read, EVERY_MS);
  return () => {
    clearInterval(timer);
    read();
    closeSync(file);
  };
}
