"""Images that are there already: downloads of other programs and of earlier runs of pyveg.

| file | its one idea |
|---|---|
| `settings` | what a user may say |
| `dates`, `names`, `layouts` | how dates, bands and tiles stand in names |
| `finding`, `bands` | which files a date and a band have |
| `opening`, `beside` | what a file is, with all that lies beside it |
| `meaning` | what its numbers mean |
| `masks` | which pixels are clear |
| `grid`, `agreement` | one grid for all dates |
| `reading`, `source`, `surveying` | all of it together, for a date and for a plan |
"""

from pyveg.sources.folder.settings import FolderSettings
from pyveg.sources.folder.source import FolderSource

__all__ = ["FolderSettings", "FolderSource"]
