# SPDX-License-Identifier: GPL-2.0-only
"""Initramfs archives ("newc"), written without root and the same every time."""

import stat

ALIGN = 4


class Archive:
    """Entries are added parents first; folders in between are made as needed."""

    def __init__(self):
        self.parts = []
        self.made = set()
        self.inode = 0

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        self.parts += [header, b"\0" * (-len(header) % ALIGN), data, b"\0" * (-len(data) % ALIGN)]

    def folder(self, name):
        name = name.strip("/")
        parent = name.rpartition("/")[0]
        if not name or name in self.made:
            return
        self.folder(parent)
        self.made.add(name)
        self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self.folder(name.rpartition("/")[0])
        self._entry(name.strip("/"), stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.folder(name.rpartition("/")[0])
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, name, major, minor):
        self.folder(name.rpartition("/")[0])
        self._entry(name.strip("/"), stat.S_IFCHR | 0o600, device=(major, minor))

    def encode(self):
        """Archives can be put one after the other: each ends aligned."""
        self._entry("TRAILER!!!", 0)
        return b"".join(self.parts)
