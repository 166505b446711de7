"""What lies at a URL, where several Stores may be."""

from __future__ import annotations

import fsspec

from pyveg.core.errors import StoreError
from pyveg.storage.objects import Objects


def folders_at(url: str) -> list[str]:
    """URLs of the folders directly below one, by name; none where there is no such folder.

    Parameters
    ----------
    url : str
        ``protocol://path``, without a password.

    Raises
    ------
    ConfigError
        If it cannot be the URL of a Store.
    StoreError
        If it cannot be listed.
    """
    Objects(url, {})  # for its checks, and its words for what is missing
    fs, root = fsspec.url_to_fs(url)
    try:
        fs.invalidate_cache()  # fsspec remembers what it has listed
        entries = fs.ls(root, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception as error:
        raise StoreError(
            f"{url} cannot be listed: {type(error).__name__}: {error}",
            "check the address, your permissions and the connection",
        ) from error
    names = [entry["name"].rstrip("/") for entry in entries if entry["type"] == "directory"]
    return sorted(f"{url.rstrip('/')}/{name.rpartition('/')[2]}" for name in names)
