#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: table.py JSON-FILE RUNS    prints the rows that it reads as a table, and writes them to the file."""
import json, os, subprocess, sys
keys = ["work", "peer", "unit", "ours", "peer_value", "ratio", "bar", "met", "peer_and_sync"]
rows = []
print("{:<31} {:<20} {:>12} {:>12} {:>7} {:>6}  {:<4} {}".format("work", "against", "ours", "theirs", "ratio", "bar", "met", "theirs, durable"))
for line in sys.stdin:
    row = dict(zip(keys, line.rstrip("\n").split("\t")))
    unit = row["unit"]
    shown = lambda v: f"{float(v):.2f} s" if unit == "s" else f"{float(v) / 1024:.1f} MiB" if unit == "KiB" else f"{float(v) / 2**20:.1f} MiB"
    durable = row["peer_and_sync"] and "{:.2f} s".format(float(row["peer_and_sync"]))
    print("{:<31} {:<20} {:>12} {:>12} {:>7.3f} {:>6}  {:<4} {}".format(row["work"], row["peer"], shown(row["ours"]), shown(row["peer_value"]), float(row["ratio"]), row["bar"], row["met"], durable))
    rows.append({**row, "ours": float(row["ours"]), "peer_value": float(row["peer_value"]), "ratio": float(row["ratio"]), "bar": float(row["bar"]), "met": row["met"] == "yes"})
cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown")
json.dump({"schema": 1, "runs": int(sys.argv[2]), "cores": os.cpu_count(), "cpu": cpu, "rows": rows}, open(sys.argv[1], "w"), indent=1)
