#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Archives made to write outside the target are refused, name the entry, and leave nothing behind.
. "$(dirname "$0")/lib.sh"
needs python3

mkdir "$T/outside"
echo precious >"$T/outside/file"
python3 - "$T" <<'END'
import io, sys, tarfile
T = sys.argv[1]
def entry(name, type=tarfile.REGTYPE, link="", data=b"evil", **more):
    info = tarfile.TarInfo(name); info.type = type; info.linkname = link; info.mode = 0o755
    for key, value in more.items(): setattr(info, key, value)
    if type == tarfile.REGTYPE: info.size = len(data)
    return info, data
def archive(name, *entries):
    with tarfile.open(f"{T}/{name}_20260201_120000.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for info, data in (entry("good/file", data=b"good"), *entries):
            tar.addfile(info, io.BytesIO(data) if info.type == tarfile.REGTYPE else None)
SYM, LNK, DIR = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
archive("absolute", entry(f"{T}/outside/absolute"))
archive("dotdot", entry("../outside/dotdot"))
archive("dotdot-inside", entry("good/../../outside/dotdot"))
archive("through-symlink", entry("good/way", SYM, f"{T}/outside"), entry("good/way/file"))
archive("through-relative-symlink", entry("good/way", SYM, "../../outside"), entry("good/way/new"))
archive("through-chain", entry("a", SYM, "."), entry("a/b", SYM, ".."), entry("a/b/outside/chain"))
archive("symlink-over-folder", entry("d", DIR), entry("d", SYM, f"{T}/outside"), entry("d/file"))
archive("symlink-out", entry("good/way", SYM, f"{T}/outside/file"))
archive("hardlink-out", entry("good/way", LNK, f"{T}/outside/file"))
archive("hardlink-dotdot", entry("good/way", LNK, "../outside/file"), entry("good/way", data=b"evil"))
archive("hardlink-to-symlink", entry("s", SYM, f"{T}/outside/file"), entry("h", LNK, "s"), entry("h"))
END

for file in "$T"/*_20260201_120000.tar.gz; do
    name=$(basename "$file" _20260201_120000.tar.gz)
    for plugin in files ledger; do
        hf restore --artifact "$file" --source "$plugin" --to "$T/target/deep"
        [[ $RC != 0 ]] || fail "the archive '$name' was restored by the $plugin source"
        [[ -s $ERR ]] || fail "the archive '$name' was refused without a word"
        equal "$name: the outside" 'file precious' "$(cd "$T/outside" && echo * "$(cat file)")"
        equal "$name: left in the target" '' "$(left_in "$T/target/deep")"
        rm -rf "$T/target"
    done
done

# No archive at all, and one that ends early.
head -c 3000 /dev/urandom | gzip >"$T/noise.tar.gz"
make_files "$DATA/config"
tar -C "$DATA" -cf "$T/whole.tar" config
head -c 200000 "$T/whole.tar" | gzip >"$T/short.tar.gz"
for file in noise short; do
    hf restore --artifact "$T/$file.tar.gz" --source files --to "$T/target"
    [[ $RC != 0 ]] || fail "the archive '$file' was restored"
    equal "$file: left in the target" '' "$(left_in "$T/target")"
done

# A small file whose first header has a map of millions of holes: it does not fill the memory.
python3 - "$T/map.tar.gz" <<'END'
import gzip, sys, tarfile
def header(name, size, type):
    info = tarfile.TarInfo(name); info.size = size; info.type = type
    return info.tobuf(tarfile.USTAR_FORMAT)
def record(key, value):
    text = f" {key}={value}\n"
    size = next(n for n in range(len(text), 1000) if len(str(n)) + len(text) == n)
    return f"{size}{text}"
pax = "".join(record(*pair) for pair in (("GNU.sparse.major", 1), ("GNU.sparse.minor", 0),
    ("GNU.sparse.name", "srv/map"), ("GNU.sparse.realsize", 1 << 40))).encode()
entries = 16 << 20
with gzip.open(sys.argv[1], "wb", compresslevel=1) as out:
    out.write(header("PaxHeaders/map", len(pax), b"x") + pax.ljust(512, b"\0"))
    out.write(header("GNUSparseFile.0/map", entries * 4 + 512, b"0") + b"%d\n" % entries)
    for _ in range(64): out.write(b"1\n0\n" * (entries // 64))
    out.write(bytes(4096))
END
for plugin in files ledger; do
    hf restore --artifact "$T/map.tar.gz" --source "$plugin" --to "$T/target"
    equal 'a map without end' 5 "$RC"
    says 'a header is longer than'
    equal 'left in the target' '' "$(left_in "$T/target")"
done
