/* SPDX-License-Identifier: Apache-2.0
 *
 * Canned reports, as operations give them.
 */
#include "fake_ops.h"

const char fake_backup_report[] =
    "{\"id\": \"ledger_20260201_120000\", \"outcome\": \"stored\", \"start\": \"2026-02-01T12:00:00Z\","
    " \"end\": \"2026-02-01T12:00:02Z\", \"seconds\": 1.9, \"raw_bytes\": 1073741824, \"bytes\": 315621376,"
    " \"artifacts\": [{\"key\": \"ledger_20260201_120000.tar.gz\", \"bytes\": 315621376, \"raw_bytes\": 1073741824,"
    "  \"location\": \"/backups/ledger_20260201_120000.tar.gz\"}],"
    " \"sinks\": [{\"name\": \"local\", \"stored\": true}, {\"name\": \"nas\", \"stored\": false, \"error\": \"no "
    "space\"}],"
    " \"findings\": [{\"severity\": \"info\", \"code\": \"torn-tail\", \"subject\": \"2026-01-31/signals-002.wal\","
    "  \"text\": \"17 bytes of an unfinished frame are left out\"},"
    "  {\"severity\": \"error\", \"code\": \"crc\", \"subject\": \"a\\u001b[2Jb\", \"text\": \"frame 7 is damaged\"}],"
    " \"verification\": [{\"sink\": \"local\", \"level\": \"content\", \"whole\": true, \"seconds\": 1.2, "
    "\"findings\": []}],"
    " \"retention\": [{\"sink\": \"local\", \"id\": \"ledger_20260102_060000\", \"remove\": true, \"removed\": true,"
    "  \"reason\": \"older than 30d\"},"
    "  {\"sink\": \"local\", \"id\": \"ledger_20260201_120000\", \"remove\": false, \"removed\": false,"
    "  \"reason\": \"younger than 30d\"}]}";

const char fake_list_report[] =
    "{\"backups\": [{\"id\": \"ledger_20260201_060000\", \"time\": \"2026-02-01T06:00:00Z\", \"bytes\": 1024,"
    "  \"raw_bytes\": 4096, \"artifacts\": 1, \"findings\": {\"info\": 0, \"warning\": 0, \"error\": 1}, \"verified\": "
    "false,"
    "  \"sinks\": [{\"name\": \"local\", \"whole\": false, \"problem\": \"artifact is missing\"}]},"
    " {\"id\": \"ledger_20260201_120000\", \"time\": \"2026-02-01T12:00:00Z\", \"bytes\": 315621376,"
    "  \"raw_bytes\": 1073741824, \"artifacts\": 12, \"findings\": {\"info\": 1, \"warning\": 0, \"error\": 0},"
    "  \"verified\": true, \"sinks\": [{\"name\": \"local\", \"whole\": true, \"verified\": {\"level\": \"content\","
    "  \"whole\": true, \"time\": \"2026-02-01T12:00:05Z\"}}, {\"name\": \"nas\", \"whole\": true, "
    "  \"verified\": {\"level\": \"digest\", \"whole\": true, \"time\": \"2026-02-01T12:00:06Z\"}}]}],"
    " \"orphans\": [\"local: ledger_20260101_000000.tar.gz\"], \"unreachable\": [\"nas\"]}";

const char fake_show_report[] =
    "{\"id\": \"ledger_20260201_120000\", \"time\": \"2026-02-01T12:00:00Z\", \"manifest\": {\"host\": \"omen-1\","
    "  \"artifacts\": [{\"key\": \"ledger_20260201_120000.tar.gz\", \"bytes\": 315621376, \"raw_bytes\": 1073741824,"
    "   \"sha256\": \"00ff\", \"parts\": [{\"name\": \"2026-01-30\"}, {\"name\": \"2026-01-31\"}]}],"
    "  \"facts\": {\"2026-01-30\": {\"records\": 100}}, \"context\": {}, \"findings\": []},"
    " \"sinks\": [{\"name\": \"local\", \"whole\": true}],"
    " \"locations\": [{\"key\": \"ledger_20260201_120000.tar.gz\", \"sink\": \"local\","
    "  \"location\": \"/backups/ledger_20260201_120000.tar.gz\"}]}";

const char fake_verify_report[] =
    "{\"checks\": [{\"id\": \"ledger_20260201_120000\", \"sink\": \"local\", \"level\": \"content\", \"whole\": true,"
    "  \"seconds\": 1.2, \"bytes\": 1024, \"raw_bytes\": 4096, \"findings\": []},"
    " {\"id\": \"ledger_20260201_120000\", \"sink\": \"nas\", \"level\": \"content\", \"whole\": false, \"seconds\": "
    "0.1,"
    "  \"bytes\": 1024, \"raw_bytes\": 4096, \"findings\": [{\"severity\": \"error\", \"code\": \"digest\","
    "  \"subject\": \"ledger_20260201_120000.tar.gz\", \"text\": \"sha256 differs\"}]}]}";

const char fake_prune_report[] =
    "{\"items\": [{\"sink\": \"local\", \"id\": \"ledger_20260102_060000\", \"remove\": true, \"removed\": false,"
    "  \"reason\": \"older than 30d\"}, {\"sink\": \"local\", \"id\": \"ledger_20260201_120000\", \"remove\": false,"
    "  \"removed\": false, \"reason\": \"newest verified\"}],"
    " \"skipped\": [{\"sink\": \"local\", \"id\": \"ledger_20260103_060000\", \"problem\": \"manifest cannot be "
    "read\"}]}";

const char fake_audit_report[] =
    "{\"id\": \"ledger_20260201_120000\", \"audited\": true, \"seconds\": 1.2,"
    " \"findings\": [{\"severity\": \"warning\", \"code\": \"rows-fewer\", \"subject\": \"public.orders\","
    "  \"text\": \"10 rows, and 20 before\"}]}";

const char fake_plugin_report[] =
    "{\"plugins\": [{\"kind\": \"source\", \"name\": \"ledger\", \"version\": \"1\", \"summary\": \"an append-only "
    "ledger\","
    "  \"license\": \"Apache-2.0\", \"path\": \"/x.so\", \"description\": \"One paragraph.\\n\\nAnother one.\","
    "  \"threads\": \"parallel\", \"options\": [{\"key\": \"path\", \"type\": \"path\", \"required\": true,"
    "  \"secret\": false, \"deprecated\": false, \"help\": \"the ledger's base folder\"},"
    "  {\"key\": \"mode\", \"type\": \"enum\", \"default\": \"fast\", \"choices\": \"fast|slow\", \"required\": false,"
    "  \"secret\": false, \"deprecated\": false, \"help\": \"how\"}]}]}";
