"""One user of a file at a time, by a lock that the system frees when the process ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["Lock"]

if sys.platform != "win32":
    import fcntl


class Lock:
    """The lock on a file, held until `release`.

    It is a lock (flock) on an empty file ``.NAME.lock`` beside it, which is deleted in the end. A
    process that is killed leaves the empty file behind, but not the lock.

    Parameters
    ----------
    path : str or path-like

    Attributes
    ----------
    held : bool
        Whether there is a lock: not on Windows, nor on file systems that know none.

    Raises
    ------
    ValueError
        If another fit holds the lock, in this process or in another.
    OSError
        If no file can be written there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        target = Path(os.path.realpath(path))
        self._path = target.with_name(f".{target.name}.lock")
        self._descriptor: int | None = None
        self.held = False
        if sys.platform == "win32":
            return
        try:
            while not self.held:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.held = self._is_of_the_file_there()
                if not self.held:  # the one who held it has deleted the file meanwhile
                    self._close()
        except BlockingIOError as error:
            self._close()
            raise ValueError(
                f"{os.fspath(path)} must be the checkpoint of one fit at a time; another one is "
                f"using it. Wait for that, or name another file."
            ) from error
        except OSError as error:
            if self._descriptor is None:
                raise OSError(error.errno, error.strerror, os.fspath(path)) from error
            self.release()  # the file system knows no locks

    def _is_of_the_file_there(self) -> bool:
        assert self._descriptor is not None
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Delete the empty file and free the lock."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            self._close()
        self.held = False

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
