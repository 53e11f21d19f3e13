"""
What VHDs show, by libvhdi: an independent reader, which finds the parents by their names itself.
`libvhdi.py IMAGE` prints the content; `libvhdi.py --digest IMAGE...` the chain and the digest of each, as JSON.
"""
import hashlib
import json
import os
import sys

import pyvhdi

DIFFERENTIAL = 4


class Chain:
    def __init__(self, path):
        self.paths, self.images = [], []
        self.open(path)

    def open(self, path):
        image = pyvhdi.file()
        image.open(path)
        self.paths.append(path)
        self.images.append(image)
        if image.get_disk_type() == DIFFERENTIAL:
            name = image.get_parent_filename().replace("\\", "/").split("/")[-1]
            parent = self.open(os.path.join(os.path.dirname(path), name))
            if parent.get_identifier() != image.get_parent_identifier():
                raise SystemExit("%s has another parent than %s" % (path, name))
            image.set_parent(parent)
        return image

    def content(self):
        image = self.images[0]
        size = image.get_media_size()
        while image.get_offset() < size:
            yield image.read_buffer(min(1 << 20, size - image.get_offset()))


def told(path):
    chain = Chain(path)
    digest = hashlib.sha256()
    for part in chain.content():
        digest.update(part)
    return {"chain": chain.paths, "sha256": digest.hexdigest()}


if sys.argv[1] == "--digest":
    print(json.dumps([told(path) for path in sys.argv[2:]]))
else:
    for part in Chain(sys.argv[1]).content():
        sys.stdout.buffer.write(part)
