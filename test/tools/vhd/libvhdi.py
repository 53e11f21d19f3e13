"""Print what a VHD shows, by libvhdi: an independent reader, which finds the parents by their names itself."""
import os
import sys

import pyvhdi

DIFFERENTIAL = 4


def opened(path):
    image = pyvhdi.file()
    image.open(path)
    if image.get_disk_type() == DIFFERENTIAL:
        name = image.get_parent_filename().replace("\\", "/").split("/")[-1]
        parent = opened(os.path.join(os.path.dirname(path), name))
        if parent.get_identifier() != image.get_parent_identifier():
            raise SystemExit("%s has another parent than %s" % (path, name))
        image.set_parent(parent)
        keep.append(parent)
    return image


keep = []
image = opened(sys.argv[1])
size = image.get_media_size()
while image.get_offset() < size:
    sys.stdout.buffer.write(image.read_buffer(min(1 << 20, size - image.get_offset())))
