-- SPDX-License-Identifier: Apache-2.0
-- The PostgreSQL data set of the benchmarks, about 1.5 GB in the cluster and 920 MB as plain SQL:
--   createdb omen_db && pgbench -i -q -s 50 omen_db && psql -q -f pg-dataset.sql omen_db
create table omen_signals (
    id bigserial primary key, signal_id text not null unique, category text, probability double precision,
    confidence_score double precision, payload jsonb not null, emitted_at timestamptz not null default now());
insert into omen_signals (signal_id, category, probability, confidence_score, payload, emitted_at)
select 'OMEN-' || upper(substr(md5(i::text), 1, 12)), (array['GEOPOLITICAL','WEATHER','INFRASTRUCTURE','LABOR'])[1 + i % 4],
       random(), random(),
       jsonb_build_object('trace', 'trace-' || md5((i * 7)::text), 'title', 'Port congestion probability at node ' || (i % 500),
           'sha256', encode(sha256(i::text::bytea), 'hex'),
           'evidence', jsonb_build_array(jsonb_build_object('source', 'polymarket', 'value', random()), jsonb_build_object('source', 'ais', 'value', random())),
           'domains', jsonb_build_array('LOGISTICS', 'SHIPPING')),
       timestamptz '2026-01-01' + (i || ' seconds')::interval
from generate_series(1, 1000000) i;
create index on omen_signals (category, emitted_at);
create index on omen_signals using gin (payload jsonb_path_ops);
vacuum analyze;
checkpoint;
