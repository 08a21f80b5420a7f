#!/usr/bin/env python3
"""The shapes of 23-call-shapes.py over TCP: SIPp and Kamailio as neighbours, both directions."""

import os
import runpy
import sys

sys.argv += ["--transport", "t1"]
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "23-call-shapes.py"),
               run_name="__main__")
