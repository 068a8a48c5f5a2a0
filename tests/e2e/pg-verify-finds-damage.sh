#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# The content check of SQL: what a forger changes and covers up with digests of his own is held against the facts, and SQL
# that is not complete is damage.
. "$(dirname "$0")/lib_pg.sh"
needs python3

pg_start
createdb src
q src 'create table t (id int primary key, v text)' "insert into t select i, 'value ' || i from generate_series(1, 3000) i" 'create table empty_one (i int)' \
    'create sequence s' "select setval('s', 77)" "select lo_from_bytea(4321, '\\x0102030405')" 'create view w as select * from t' >/dev/null
pg_profile postgres src
sed -i '/^\[stage/,/^$/d' "$ETC/conf.d/postgres.ini"
id=$(backup postgres)
cp -a "$BACKUPS" "$T/whole"

# forge CODE: changes the artifact's `parts`, and all that the manifest says of their bytes.
forge() {
    rm -rf "$BACKUPS"
    cp -a "$T/whole" "$BACKUPS"
    python3 - "$BACKUPS/$id" "$1" <<'END'
import ctypes, hashlib, json, sys
class Digest(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]
xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH3_128bits.restype = Digest
xxhash.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
def digest(data):
    d = xxhash.XXH3_128bits(data, len(data))
    return f"{d.high:016x}{d.low:016x}"
base, code = sys.argv[1:]
m = json.load(open(base + ".manifest.json"))
a = m["artifacts"][0]
whole = open(base + ".sql", "rb").read()
assert all(p["xxh128"] == digest(whole[p["raw"][0]:p["raw"][0] + p["raw"][1]]) for p in a["parts"])
parts = [whole[p["raw"][0]:p["raw"][0] + p["raw"][1]] for p in a["parts"]]
names = [p["name"] for p in a["parts"]]
def change(old, new):
    """In the one part that has it."""
    found = [i for i, part in enumerate(parts) if old in part]
    assert found, old
    parts[found[0]] = parts[found[0]].replace(old, new, 1)
exec(code)
at = 0
for p, part in zip(a["parts"], parts):
    p["raw"] = p["stored"] = [at, len(part)]
    p["xxh128"] = digest(part)
    at += len(part)
data = b"".join(parts)
assert data != whole
a["bytes"] = a["raw_bytes"] = len(data)
a["sha256"] = a["raw_sha256"] = hashlib.sha256(data).hexdigest()
json.dump(m, open(base + ".manifest.json", "w"))
open(base + ".sql", "wb").write(data)
open(base + ".sha256", "w").write(f"{a['sha256']}  {a['key']}\n")
END
}
finds() { # WHAT CODE WORD…
    echo "$1"
    forge "$2"
    json 5 verify postgres
    says "${@:3}"
    holds '[.results[0].checks[0].findings[]? | select(.severity == "error")] | length > 0'
}
finds 'a row less' 'change(b"17\tvalue 17\n", b"")' public.t
finds 'a row more' 'change(b"17\tvalue 17\n", b"17\tvalue 17\n17\tvalue 17\n")' public.t
finds 'another value' 'change(b"17\tvalue 17\n", b"17\tvalue 71\n")' public.t
finds 'a column more' 'change(b"17\tvalue 17\n", b"17\tvalue\t17\n")' public.t
finds 'an escape that is none' 'change(b"17\tvalue 17\n", b"17\tvalue \\\n")' public.t
finds 'the end of COPY is lost' 'change(b"\n\\.\n", b"\n")' postgres
finds 'rows of another table' 'change(b"COPY public.t (id, v)", b"COPY public.x (id, v)")' public.t
finds 'a quote is never closed' 'change(b"CREATE VIEW public.w", b"CREATE VIEW \"public.w")' postgres
finds 'the last line is lost' 'parts[-1] = parts[-1][:parts[-1].rindex(b"\\unrestrict")]' postgres
finds 'cut in the middle of a statement' 'parts[0] = parts[0][:parts[0].rindex(b";") - 3]' postgres
finds 'a sequence elsewhere' 'change(b"77, true", b"78, true")' public.s
finds 'a large object with other bytes' 'change(b"0102030405", b"0102030406")' object
finds 'a command of psql' 'change(b"CREATE VIEW public.w", b"\\! touch /tmp/x\nCREATE VIEW public.w")' postgres

# The facts themselves.
for change in 's/("public.t": *\{"rows": *)3000/\13001/' 's/("public.s": *\[)77/\178/' 's/("count": *)1/\12/'; do
    rm -rf "$BACKUPS"
    cp -a "$T/whole" "$BACKUPS"
    sed -i -E "$change" "$BACKUPS/$id.manifest.json"
    if cmp -s "$T/whole/$id.manifest.json" "$BACKUPS/$id.manifest.json"; then fail "the fact was not changed: $change"; fi
    json 5 verify postgres
done

# Compressed: any byte.
rm -rf "$BACKUPS"
mkdir "$BACKUPS"
pg_profile postgres src
sleep 1
id=$(backup postgres)
cp -a "$BACKUPS/$id.sql.gz" "$T/good"
size=$(stat -c %s "$T/good")
for offset in 5 $((size / 3)) $((size / 2)) $((size - 6)); do
    cp "$T/good" "$BACKUPS/$id.sql.gz"
    printf '\xaa\x55' | dd of="$BACKUPS/$id.sql.gz" bs=1 seek="$offset" conv=notrunc status=none
    json 5 verify postgres
    ((offset > 5 && offset < size - 6)) || continue # around the parts, which are whole
    remember
    json 5 restore postgres --to damaged
    databases_as_they_were
done
cp "$T/good" "$BACKUPS/$id.sql.gz"
truncate -s -20 "$BACKUPS/$id.sql.gz"
json 5 verify "$id" --level quick
cp "$T/good" "$BACKUPS/$id.sql.gz"
expect 0 verify postgres
