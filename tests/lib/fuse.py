# SPDX-License-Identifier: BSD-3-Clause
"""fuse.py: a file that we serve ourselves (FUSE), and whose pages nobody ever gets: as a front-end
can have one that means ill. The kernel's include/uapi/linux/fuse.h has the messages."""

import contextlib
import ctypes
import errno
import os
import stat
import struct
import threading

from daemon import LIBC

MNT_DETACH = 2
GETATTR, OPEN, READ, STATFS, RELEASE, INIT, FORGET, INTERRUPT = 3, 14, 15, 17, 18, 26, 2, 36
FLUSH = 25
REQUEST_MAX = 1 << 20
FOR_EVER = 1 << 30  # seconds that the kernel may believe what it was told


class FuseFile:
    """The file at `path`, where a file has to be, of that many bytes; until the end of `with`.
    asked: the requests that there were since it was opened."""

    def __init__(self, path, size):
        self.path = path
        self.size = size
        self.asked = []
        self.device = os.open('/dev/fuse', os.O_RDWR | os.O_CLOEXEC)
        options = f'fd={self.device},rootmode={stat.S_IFREG | 0o600:o},user_id={os.getuid()},' \
                  f'group_id={os.getgid()}'
        if LIBC.mount(b'fuse', path.encode(), b'fuse', ctypes.c_ulong(0), options.encode()) != 0:
            error = ctypes.get_errno()
            os.close(self.device)
            raise OSError(error, 'FUSE can not be mounted here')
        self.server = threading.Thread(target=self.serve, daemon=True)
        self.server.start()
        self.file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.asked.clear()

    def answer(self, opcode):
        """What a request is answered with; None: it is not."""
        attr = struct.pack('=6Q10I', 1, self.size, 0, 0, 0, 0, 0, 0, 0, stat.S_IFREG | 0o600, 1,
                           os.getuid(), os.getgid(), 0, 4096, 0)
        return {
            INIT: struct.pack('=IIIIHHIIHHI28x', 7, 31, 0, 0, 0, 0, 4096, 1, 1, 0, 0),
            GETATTR: struct.pack('=QII', FOR_EVER, 0, 0) + attr,
            OPEN: struct.pack('=QII', 1, 0, 0),
            STATFS: struct.pack('=5Q4I24x', 0, 0, 0, 0, 0, 4096, 255, 4096, 0),
            RELEASE: b'',
            READ: None, FORGET: None, INTERRUPT: None,
        }.get(opcode, errno.ENOSYS)

    def serve(self):
        """Answers until the file system is gone."""
        while True:
            try:
                request = os.read(self.device, REQUEST_MAX)
            except OSError:
                return
            _, opcode, unique = struct.unpack_from('=IIQ', request)
            self.asked.append(opcode)
            body = self.answer(opcode)
            error = 0
            if isinstance(body, int):
                body, error = b'', -body
            if body is not None:
                with contextlib.suppress(FileNotFoundError):  # nobody waits for it any more
                    os.write(self.device, struct.pack('=IiQ', 16 + len(body), error, unique) + body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.file)
        LIBC.umount2(self.path.encode(), MNT_DETACH)
        self.server.join(5)
        os.close(self.device)
