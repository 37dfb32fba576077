"""`python -m binpickle` is the command `binpickle`."""

from __future__ import annotations

import sys

from .cli.entry import main

sys.exit(main())
