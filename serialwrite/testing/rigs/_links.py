"""A rig's symbolic link: made only at a free path, and removed only if it is still the link that was made."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    import os


@final
class Link:
    """A symbolic link to a device; ``close()`` takes it away again.

    Raises ``FileExistsError`` if the path exists, even as a dangling link: it may belong to another program, so it is
    neither followed nor replaced. Another ``OSError`` where no name can be made there.
    """

    def __init__(self, path: str | os.PathLike[str], target: str) -> None:
        self.path = Path(path).absolute()  # not resolve(), which would follow a link
        self.target = target
        try:
            self.path.symlink_to(target)  # fails where the name is taken; a look before could be stale
        except FileExistsError:
            raise FileExistsError(
                f"the link {self.path} can't be made: the path exists, and this rig has not made it; "
                "remove it, or pass another name"
            ) from None
        except OSError as error:
            raise type(error)(f"the link {path} can't be made: {error.strerror}") from None

    def close(self) -> None:
        """Remove the link, unless someone has put something else in its place."""
        with contextlib.suppress(OSError):
            if str(self.path.readlink()) == self.target:
                self.path.unlink()
