-- SPDX-License-Identifier: Apache-2.0
-- The SQLite data set of the benchmarks, about 0.8 GiB: sqlite3 signals.db < sqlite-dataset.sql
pragma journal_mode = wal;
create table signals (id integer primary key, signal_id text unique not null, category text, probability real, payload text not null, emitted_at text not null);
with recursive n(i) as (values (1) union all select i + 1 from n where i < 1600000)
insert into signals
select i, 'OMEN-' || printf('%012X', (i * 2654435761) % 281474976710656), case i % 4 when 0 then 'GEOPOLITICAL' when 1 then 'WEATHER' when 2 then 'LABOR' else 'ECONOMIC' end,
       (i * 7919 % 10000) / 10000.0,
       '{"trace":"trace-' || printf('%016x', (i * 40503) % 4294967296) || '","title":"Port congestion probability at node ' || (i % 500) || '","sha256":"' || lower(hex(randomblob(32))) || '","evidence":[{"source":"polymarket","value":' || ((i * 31 % 1000) / 1000.0) || '},{"source":"ais","value":' || ((i * 37 % 1000) / 1000.0) || '}],"domains":["LOGISTICS","SHIPPING"],"note":"' || lower(hex(randomblob(40))) || '"}',
       datetime('2026-01-01', '+' || i || ' seconds') from n;
create index signals_category on signals (category, emitted_at);
pragma wal_checkpoint(truncate);
