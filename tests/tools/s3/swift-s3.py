#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OpenStack Swift with its S3 interface (s3api, tempauth) on 127.0.0.1: all of its servers in one process.

usage: swift-s3.py DIR PORT [PARTS]

It listens at PORT, and at the next three for itself. Keys: test:tester, testing. Objects are in memory, the rest in DIR.
PARTS: that an upload may have; Swift's default is 1000. Needs the package python3-swift alone.
"""
import os
import pwd
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

folder, port = os.path.abspath(sys.argv[1]), int(sys.argv[2])
parts = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
common = f"""[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
user = {pwd.getpwuid(os.getuid()).pw_name}
log_address = {folder}/none
"""


def write(name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
    return os.path.join(folder, name)


def serve(path, number):
    listener = eventlet.listen(("127.0.0.1", number))
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        wsgi.server(listener, loadapp(path), log=nowhere, log_output=False, debug=False)


os.makedirs(os.path.join(folder, "devices", "one"))
write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = holdfast\n")
servers = []
for offset, (kind, app) in enumerate((("account", "account"), ("container", "container"), ("object", "mem_object")), 1):
    ring = RingBuilder(2, 1, 1)
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port + offset, "device": "one", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(os.path.join(folder, f"{kind}.ring.gz"))
    servers.append((write(f"{kind}.conf", f"{common}[pipeline:main]\npipeline = it\n[app:it]\nuse = egg:swift#{app}\n"), port + offset))

filters = ("catch_errors gatekeeper cache listing_formats bulk s3api tempauth slo dlo versioned_writes symlink").split()
options = {
    "cache": "use = egg:swift#memcache\nmemcache_servers = 127.0.0.1:1\n",
    "s3api": f"use = egg:swift#s3api\nmax_upload_part_num = {parts}\n",
    "tempauth": "use = egg:swift#tempauth\nuser_test_tester = testing .admin\n",
    "versioned_writes": "use = egg:swift#versioned_writes\nallow_object_versioning = true\n",
}
proxy = common + f"[pipeline:main]\npipeline = {' '.join(filters)} proxy-server\n[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
for name in filters:
    proxy += f"[filter:{name}]\n" + options.get(name, f"use = egg:swift#{name}\n")
servers.append((write("proxy.conf", proxy), port))

from swift.common import utils  # noqa: E402

utils.SWIFT_CONF_FILE = os.path.join(folder, "swift.conf")
utils.validate_hash_conf()
for path, number in servers:
    eventlet.spawn(serve, path, number)
while True:
    eventlet.sleep(3600)
