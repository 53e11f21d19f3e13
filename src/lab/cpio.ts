/** A file, folder (`data` absent) or link (`link` its target) of an archive, paths relative. */
export type ArchiveEntry = {
  readonly path: string;
  readonly mode: number;
  readonly data?: Uint8Array;
  readonly link?: string;
};

const typeFolder = 0o040000;
const typeFile = 0o100000;
const typeLink = 0o120000;

/**
 * A cpio archive in the `newc` format, which the kernel unpacks as its first root
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Folders must come before what is in
 * them: those that no entry names are added.
 */
export function cpioArchive(entries: readonly ArchiveEntry[]): Buffer {
  const parts: Buffer[] = [];
  const folders = new Set<string>();
  const add = (path: string, mode: number, data: Uint8Array) => {
    // ino, mode, uid, gid, nlink, mtime, filesize, dev major, minor, rdev major, minor, namesize, check
    const name = Buffer.from(`${path}\0`);
    const size = data.byteLength;
    const fields = [parts.length + 1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.length, 0];
    const header = Buffer.from(`070701${fields.map(hex8).join('')}`);
    parts.push(padded(Buffer.concat([header, name])), padded(Buffer.from(data)));
  };
  const addFolders = (path: string) => {
    const above = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= above.length; depth++) {
      const folder = above.slice(0, depth).join('/');
      if (folders.has(folder)) continue;
      folders.add(folder);
      add(folder, typeFolder | 0o755, Buffer.alloc(0));
    }
  };
  for (const { path, mode, data, link } of entries) {
    addFolders(path);
    if (link !== undefined) add(path, typeLink | 0o777, Buffer.from(link));
    else if (data !== undefined) add(path, typeFile | mode, data);
    else if (!folders.has(path)) {
      folders.add(path);
      add(path, typeFolder | mode, Buffer.alloc(0));
    }
  }
  add('TRAILER!!!', 0, Buffer.alloc(0));
  return Buffer.concat(parts);
}

const hex8 = (value: number) => value.toString(16).padStart(8, '0');

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
