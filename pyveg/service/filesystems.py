"""Whether a path lies on a disk of another machine."""

from __future__ import annotations

from pathlib import Path

_NETWORK = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
    )
)
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.overlayfs"})
_MOUNTS = Path("/proc/self/mounts")


def network_kind(path: Path, mounts: str | None = None) -> str:
    r"""The kind of network file system that a path lies on.

    Parameters
    ----------
    path : Path
        It need not be there yet.
    mounts : str, optional
        What is mounted where, as ``/proc/self/mounts`` has it; that of this machine where left
        out. A system without that file tells nothing.

    Returns
    -------
    str
        Empty where the disk is one of this machine, or nothing tells.

    Examples
    --------
    >>> table = "/dev/sda1 / ext4 rw 0 0\nnas:/x /mnt/n\\040s nfs4 rw 0 0"
    >>> network_kind(Path("/mnt/n s/service/jobs.sqlite"), table)
    'nfs4'
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    where = path.resolve()
    best, kind = -1, ""
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        point = Path(_unescaped(parts[1]))
        if where.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), parts[2]  # later lines lie over earlier ones
    is_fuse = kind.startswith("fuse.") and kind not in _LOCAL_FUSE
    return kind if kind in _NETWORK or is_fuse else ""


def _unescaped(text: str) -> str:
    """Blanks and the like stand as octal numbers."""
    for number in ("040", "011", "012", "134"):
        text = text.replace(f"\\{number}", chr(int(number, 8)))
    return text
