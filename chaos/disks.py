"""Small file systems in memory, of a round's own, that can be filled. They go with the process that mounted them.

Where mounting is not permitted, not even in a user namespace, nothing is mounted, and faults limit the size of files instead.
"""

import ctypes
import errno
import os
import shutil
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, NEW_USER = 0x20000, 0x10000000
RECURSIVE, PRIVATE, DETACH = 1 << 14, 1 << 18, 2
BALLAST = "ballast"


def mounts_of_its_own() -> bool:
    """Parts this process, which must have one thread, from the mounts of others; whether that is permitted."""
    user, group = os.geteuid(), os.getegid()
    if LIBC.unshare(NEW_MOUNTS) != 0:
        if LIBC.unshare(NEW_MOUNTS | NEW_USER) != 0:
            return False
        for name, text in [("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")]:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    return LIBC.mount(b"none", b"/", None, RECURSIVE | PRIVATE, None) == 0


class Disk:
    """A file system of `size` bytes on a folder, which is made."""

    def __init__(self, folder: str, size: int) -> None:
        self.folder = folder
        self.size = size
        self._ballast = os.path.join(folder, BALLAST)
        os.makedirs(folder, exist_ok=True)
        if LIBC.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={size}".encode()) != 0:
            raise OSError(ctypes.get_errno(), "a small file system cannot be mounted on " + folder)

    def fill(self) -> None:
        """Takes all the space that is left, also what is freed meanwhile."""
        with open(self._ballast, "ab") as file:
            while free := self._free():
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
                except OSError as error:
                    # Somebody else took a part of it.
                    if error.errno != errno.ENOSPC:
                        raise

    def empty(self) -> None:
        """Gives the space back."""
        if os.path.exists(self._ballast):
            os.truncate(self._ballast, 0)

    def take_off(self) -> None:
        """Unmounts it; its files stay in the folder below."""
        self.empty()
        with tempfile.TemporaryDirectory() as kept:
            kept = os.path.join(kept, "files")
            # Sockets cannot be copied, and need not.
            skip = lambda folder, names: [name for name in names
                                          if not os.path.isfile(path := os.path.join(folder, name)) and not os.path.isdir(path)]
            shutil.copytree(self.folder, kept, symlinks=True, ignore=skip)
            LIBC.umount2(self.folder.encode(), DETACH)
            shutil.copytree(kept, self.folder, symlinks=True, dirs_exist_ok=True)

    def _free(self) -> int:
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize
