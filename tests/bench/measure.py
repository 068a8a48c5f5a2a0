#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: measure.py COMMAND    runs a shell command; prints its seconds, the seconds until its files were on disk, too, and
the largest resident set of its processes in KiB."""
import os, resource, subprocess, sys, time

start = time.monotonic()
code = subprocess.call(["bash", "-c", "set -o pipefail; " + sys.argv[1]], stdout=subprocess.DEVNULL)
ended = time.monotonic()
os.sync()
print(f"{ended - start:.3f} {time.monotonic() - start:.3f} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
sys.exit(code)
