#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A throw-away single-node Ceph with its RADOS Gateway (S3) on 127.0.0.1.
#   rgw.sh start  WORKDIR PORT     mon=PORT+1, osd/mgr messenger ports=PORT+10..PORT+40
#   rgw.sh stop   WORKDIR          ends the processes by PID, removes WORKDIR's data
#   rgw.sh status WORKDIR          pids, RSS (kB)
#   rgw.sh kill   WORKDIR          kills the gateway alone, with SIGKILL; what it stored stays in the OSD
#   rgw.sh revive WORKDIR          starts the gateway again
# Environment (all optional):
#   S3_ACCESS_KEY=testaccess  S3_SECRET_KEY=testsecret0123456789   RGW_STORE=memstore|bluestore
#   RGW_MEM_BYTES=4294967296 (memstore size)  RGW_TLS_PORT=N (adds an https endpoint, CA in WORKDIR/tls/ca.pem)
#   RGW_MGR=1 (also start a mgr: 'ceph df', quotas, autoscaler)  RGW_DEBUG=0..20 (rgw log level)
# Packages: ceph-mon ceph-osd radosgw ceph-common (ceph-mgr only for RGW_MGR=1). Needs no root, no systemd.
set -u
CMD=${1:-}; DIR=${2:-}; PORT=${3:-}
if [ -z "$CMD" ] || [ -z "$DIR" ]; then echo "usage: $0 start|stop|kill|revive|status WORKDIR [PORT]" >&2; exit 2; fi
AK=${S3_ACCESS_KEY:-testaccess}; SK=${S3_SECRET_KEY:-testsecret0123456789}
STORE=${RGW_STORE:-memstore}; MEM=${RGW_MEM_BYTES:-4294967296}; DBG=${RGW_DEBUG:-1}
die() { echo "rgw.sh: $*" >&2; exit 1; }
now() { date +%s.%N; }

status() { local f p; for f in "$DIR"/*.pid; do [ -e "$f" ] || continue; read -r p <"$f"
  if kill -0 "$p" 2>/dev/null; then echo "$(basename "$f" .pid) pid=$p rss_kB=$(awk '/VmRSS/{print $2}' /proc/"$p"/status)"
  else echo "$(basename "$f" .pid) pid=$p dead"; fi; done; }

ours() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- "$DIR/ceph.conf"; }
stop() { local n p
  for n in rgw mgr osd mon; do
    [ -s "$DIR/$n.pid" ] || continue; read -r p <"$DIR/$n.pid"
    # only if it is really ours: the command line must name this work dir
    if ours "$p"; then
      # nothing of it is needed any more; on TERM a memstore would write itself to disk, and a gateway take its time
      kill -KILL "$p" 2>/dev/null
      # a zombie that nobody waits for has no command line any more
      for _ in $(seq 50); do ours "$p" || break; sleep 0.02; done
    fi; rm -f "$DIR/$n.pid"; done
  rm -rf "$DIR/mon" "$DIR/osd" "$DIR/mgr" "$DIR/run" "$DIR/tmp"; }

daemon() { # NAME CMD...   in the background, own session, pid kept
  local n=$1; shift
  setsid "$@" </dev/null >>"$DIR/log/$n.out" 2>&1 &
  echo $! >"$DIR/$n.pid"; disown; }

alive() { local p; read -r p <"$DIR/$1.pid"; kill -0 "$p" 2>/dev/null; }

open_gateway() { # waits for its port
  local port
  port=$(sed -n 's/^rgw frontends.*endpoint=127.0.0.1:\([0-9]*\).*/\1/p' "$DIR/ceph.conf" | head -1)
  for _ in $(seq 300); do
    alive rgw || { tail -5 "$DIR/log/rgw.out" >&2; return 1; }
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
    sleep 0.1
  done
  return 1; }

case $CMD in
kill) DIR=$(realpath -m "$DIR"); read -r p <"$DIR/rgw.pid"
  ours "$p" || die "no gateway is there"
  kill -KILL "$p"; exit 0;;
revive) DIR=$(realpath -m "$DIR"); daemon rgw radosgw -c "$DIR/ceph.conf" -f -n client.rgw
  open_gateway || die "the gateway does not come back: $DIR/log"; exit 0;;
status) DIR=$(realpath -m "$DIR"); status; exit 0;;
stop) DIR=$(realpath -m "$DIR"); stop; exit 0;;
start) ;;
*) die "unknown command $CMD";;
esac
[ -n "$PORT" ] || die "start needs a port"
case $PORT in *[!0-9]*) die "bad port $PORT";; esac
for t in ceph-mon ceph-osd radosgw radosgw-admin monmaptool ceph; do command -v $t >/dev/null || die "missing $t"; done
mkdir -p "$DIR" || exit 1; DIR=$(realpath "$DIR")
[ ${#DIR} -le 70 ] || die "work dir path too long for unix sockets: $DIR"
stop
mkdir -p "$DIR"/{mon,osd,mgr,rgw,run,log,tmp}; rm -f "$DIR"/log/*
FSID=$(cat /proc/sys/kernel/random/uuid); MONP=$((PORT+1)); T0=$(now)
MB=$([ -n "${RGW_TLS_PORT:-}" ] && echo " ssl_endpoint=127.0.0.1:$RGW_TLS_PORT ssl_certificate=$DIR/tls/srv.pem ssl_private_key=$DIR/tls/srv.key")
cat >"$DIR/ceph.conf" <<CONF
[global]
fsid = $FSID
mon host = v2:127.0.0.1:$MONP
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv4 = true
ms bind ipv6 = false
ms bind msgr1 = false
ms bind port min = $((PORT+10))
ms bind port max = $((PORT+40))
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
# radosgw's own built-in default here is 'secure', which cannot work without cephx (error -13)
ms mon client mode = crc
keyring = /dev/null
run dir = $DIR/run
admin socket = $DIR/run/\$name.asok
log file = $DIR/log/\$name.log
crash dir = $DIR/tmp
max open files = 16384
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 2000
debug ms = 0/0
debug auth = 0/0
[mon]
mon data = $DIR/mon
mon cluster log file = $DIR/log/cluster.log
mon data avail warn = 1
mon data avail crit = 1
mon osd full ratio = 0.97
mon osd backfillfull ratio = 0.96
mon osd nearfull ratio = 0.95
paxos propose interval = 0.05
paxos min wait = 0.01
debug mon = 0/1
debug paxos = 0/0
debug rocksdb = 0/0
[osd]
osd data = $DIR/osd
osd objectstore = $STORE
memstore device bytes = $MEM
bluestore block size = $MEM
bluestore block wal create = false
bluestore fsck on mount = false
osd memory target = 939524096
osd failsafe full ratio = 0.99
osd class load list = *
osd class default list = *
osd fast shutdown = true
osd max object name len = 1200
osd max object namespace len = 64
osd op num shards = 2
osd op num threads per shard = 2
debug osd = 0/1
debug rocksdb = 0/0
[mgr]
mgr data = $DIR/mgr
mgr initial modules =
[client]
rgw data = $DIR/rgw
rgw frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:$PORT$MB
rgw dns name = localhost
rgw thread pool size = 64
rgw cache enabled = true
rgw enable usage log = false
rgw enable ops log = false
rgw crypt require ssl = false
# a key management that knows two keys, of 32 bytes each
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = holdfast-one=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY= holdfast-two=ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=
rgw run sync thread = false
# free deleted data after seconds, not 2 hours: memstore is RAM
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 5
# a quota is looked at with each request
rgw bucket quota ttl = 0
rgw rados pool pg num min = 4
debug rgw = $DBG/$DBG
CONF
if [ -n "${RGW_TLS_PORT:-}" ]; then   # private CA + server certificate for 127.0.0.1 / localhost
  mkdir -p "$DIR/tls"; ( cd "$DIR/tls" &&
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=rgw-test-ca -keyout ca.key -out ca.pem &&
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout srv.key -out srv.csr &&
  openssl x509 -req -in srv.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out srv.pem \
    -extfile <(echo "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1") ) >"$DIR/log/tls.out" 2>&1 || die "openssl: see $DIR/log/tls.out"
fi
export CEPH_CONF=$DIR/ceph.conf; C=(-c "$DIR/ceph.conf")
monmaptool --create --clobber --fsid "$FSID" --addv a "[v2:127.0.0.1:$MONP]" "$DIR/tmp/monmap" >"$DIR/log/mkfs.out" 2>&1 || die "monmaptool"
ceph-mon "${C[@]}" --mkfs -i a --monmap "$DIR/tmp/monmap" >>"$DIR/log/mkfs.out" 2>&1 || die "ceph-mon --mkfs: $DIR/log/mkfs.out"
daemon mon ceph-mon "${C[@]}" -f -i a
ceph "${C[@]}" --connect-timeout 30 osd new "$(tee "$DIR/tmp/osd.uuid" </proc/sys/kernel/random/uuid)" 0 >>"$DIR/log/mkfs.out" 2>&1 || die "osd new: $DIR/log/mkfs.out"
T1=$(now)
ceph-osd "${C[@]}" -i 0 --mkfs --osd-uuid "$(cat "$DIR/tmp/osd.uuid")" >>"$DIR/log/mkfs.out" 2>&1 || die "ceph-osd --mkfs: $DIR/log/mkfs.out"
daemon osd ceph-osd "${C[@]}" -f -i 0
[ -n "${RGW_MGR:-}" ] && daemon mgr ceph-mgr "${C[@]}" -f -i x
# the gateway itself makes its pools as soon as the OSD is up; user create waits for that too
T2=$(now)
timeout 60 radosgw-admin "${C[@]}" user create --uid=test --display-name=test --access-key="$AK" --secret-key="$SK" \
  >"$DIR/log/user.out" 2>&1 || { alive osd || echo "osd died: $DIR/log/osd.out" >&2; stop; die "user create: $DIR/log/user.out"; }
T3=$(now)
daemon rgw radosgw "${C[@]}" -f -n client.rgw
open_gateway || { stop; die "radosgw does not open port $PORT: $DIR/log"; }
T4=$(now)
printf 'S3_ENDPOINT=http://127.0.0.1:%s\nS3_ACCESS_KEY=%s\nS3_SECRET_KEY=%s\n' "$PORT" "$AK" "$SK" >"$DIR/env"
[ -n "${RGW_TLS_PORT:-}" ] && printf 'S3_TLS_ENDPOINT=https://localhost:%s\nS3_CA=%s\n' "$RGW_TLS_PORT" "$DIR/tls/ca.pem" >>"$DIR/env"
awk -v a="$T0" -v b="$T1" -v c="$T2" -v d="$T3" -v e="$T4" 'BEGIN{printf "ready in %.1f s (mon %.1f, osd mkfs+start %.1f, user+pools %.1f, rgw %.1f)\n",e-a,b-a,c-b,d-c,e-d}'
cat "$DIR/env"; status
