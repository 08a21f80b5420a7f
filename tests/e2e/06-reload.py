#!/usr/bin/python3
"""Reload by SIGHUP and by command."""

import sys

sys.exit("being written")
