"""Settings that the libraries read when they are first imported: before any test is."""

from __future__ import annotations

import os

from psseg.console import ENVIRONMENT

os.environ.update(ENVIRONMENT)
