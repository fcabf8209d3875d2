"""Where real data lies that may not ship: beside the checkout, or where WIJKSTROOM_TEST_DATA says."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("WIJKSTROOM_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
