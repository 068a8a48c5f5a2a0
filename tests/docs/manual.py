# SPDX-License-Identifier: Apache-2.0
"""Every flag of every command, and every option of every plugin, stands in the manual page; mandoc finds nothing wrong.

usage: manual.py HOLDFAST PLUGIN_FOLDER MANUAL
"""
import json
import os
import shutil
import subprocess
import sys

holdfast, plugins, manual = sys.argv[1:]
environment = dict(os.environ, HOLDFAST_PLUGIN_PATH=plugins, HOLDFAST_CONFIG="/nonexistent")


def ask(*arguments):
    output = subprocess.run([holdfast, *arguments, "--json"], env=environment, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)["results"][0]


with open(manual, encoding="utf-8") as file:
    page = file.read()
missing = []


def section(title):
    start = page.find("\n.Ss " + title)
    if start < 0:
        missing.append(title)
        return ""
    return page[start:].split("\n.S", 2)[1]


described = ask("help")
for flag in described["flags"]:
    if f"Fl -{flag['name'].lstrip('-')}" not in page:
        missing.append(flag["name"])
for command in described["commands"]:
    text = section("holdfast " + command["name"])
    missing += [f"{command['name']} {flag['name']}" for flag in command["flags"]
                if f"Fl -{flag['name'].lstrip('-')}" not in text]

listed = ask("plugin", "list")["plugins"]
assert len(listed) >= 1, "no plugins were found"
for entry in listed:
    text = section(f"The {entry['kind']} plugin {entry['name']}\\&")
    for plugin in ask("plugin", "info", f"{entry['kind']}/{entry['name']}")["plugins"]:
        for option in plugin["options"]:
            # Options that every plugin of a kind has are told once, with the profile's sections.
            if f".It Cm {option['key']} " not in text and f".It Cm {option['key']} " not in page.split(".Sh PLUGINS")[0]:
                missing.append(f"{entry['kind']} {entry['name']}: {option['key']}")

if shutil.which("mandoc"):
    # What mandoc says of other pages that are not installed here is not about this one.
    lint = subprocess.run(["mandoc", "-Tlint", "-Wstyle", manual], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True).stdout
    missing += [line for line in lint.splitlines() if "makewhatis" not in line and "referenced manual not found" not in line]
if missing:
    sys.exit("missing in the manual, or wrong:\n  " + "\n  ".join(missing))
print(f"{len(described['commands'])} commands and {len(listed)} plugins are all in the manual")
