#!/usr/bin/python3
"""explain and number of the command line."""

import sys

sys.exit("being written")
