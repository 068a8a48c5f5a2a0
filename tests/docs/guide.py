# SPDX-License-Identifier: Apache-2.0
"""What the documents show is true: commands that are marked so are run, all others are understood by the program, profiles
are valid, exit codes are those of the program, and the quoted plugin is the one that the tests build.

usage: guide.py HOLDFAST PLUGIN_FOLDER SOURCE_FOLDER
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

holdfast, plugins, source = (os.path.abspath(argument) for argument in sys.argv[1:])
SKIP = 77
blocks = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(name):
    with open(os.path.join(source, name), encoding="utf-8") as file:
        return file.read()


def run(arguments, **options):
    return subprocess.run(arguments, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def commands_of(text):
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words and words[0] == "holdfast":
            yield words[1:]


def check_commands(name, text):
    for words in commands_of(text):
        # --help: the command line is understood, flag by flag, and nothing is done.
        result = run([holdfast, *words, "--help"])
        assert result.returncode == 0, f"{name}: holdfast {' '.join(words)}\n{result.stdout}"


def check_profile(folder, text):
    profile = re.search(r"^name\s*=\s*(\S+)", text, re.MULTILINE).group(1)
    with open(os.path.join(folder, "conf.d", profile + ".ini"), "w", encoding="utf-8") as file:
        file.write(text)


def main():
    for tool in ("bash", "sqlite3", "gunzip", "sha256sum", "age"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not there")
            return SKIP
    guide, authors = read("docs/guide.md"), read("docs/plugins.md")
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "bin"))
        os.makedirs(os.path.join(folder, "etc/conf.d"))
        os.symlink(holdfast, os.path.join(folder, "bin/holdfast"))
        environment = dict(os.environ, HOLDFAST_PLUGIN_PATH=plugins, HOLDFAST_STATE_DIR=os.path.join(folder, "state"),
                           DATABASE_URL="postgresql:///omen_db", AWS_ACCESS_KEY_ID="key",
                           AWS_SECRET_ACCESS_KEY="secret",
                           PATH=os.path.join(folder, "bin") + ":" + os.environ["PATH"])
        script = "set -euo pipefail\n"
        for kind, text in blocks.findall(guide):
            if kind == "sh run":
                script += text
            elif kind == "sh":
                check_commands("guide.md", text)
            elif kind == "ini":
                check_profile(os.path.join(folder, "etc"), text)
        result = run([holdfast, "--config", os.path.join(folder, "etc"), "config", "validate"], env=environment)
        assert result.returncode == 0, result.stdout
        result = run(["bash", "-c", script], cwd=folder, env=environment)
        print(result.stdout)
        assert result.returncode == 0, "the guide's commands fail"
        assert "\n3\n" in result.stdout and ".db.gz: OK" in result.stdout and "\nok\n" in result.stdout, "not restored"
    assert read("tests/plugin/example/source-hello.c") in authors, "plugins.md quotes another source-hello.c"
    codes = dict(re.findall(r"^\| (\d+) \| (.*) \|$", guide, re.MULTILINE))
    shown = run([holdfast, "help"]).stdout
    for code, meaning in codes.items():
        told = re.search(rf"^  {code} +(.*(?:\n {{10,}}.*)*)", shown, re.MULTILINE)
        assert told and " ".join(told.group(1).split()) == meaning, f"exit code {code}: {meaning}"
    return 0


sys.exit(main())
