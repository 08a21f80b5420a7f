#!/usr/bin/python3
"""The stats socket."""

import sys

sys.exit("being written")
