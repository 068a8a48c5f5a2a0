#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The metadata services of a machine (IMDSv2) and of a container, and a security token service, on 127.0.0.1.

usage: metadata.py PORT KEYS LOG

KEYS is a JSON file with AccessKeyId, SecretAccessKey and perhaps Token, read for each request; "lives" seconds from then on
become its Expiration. LOG gets a line for each request.
"""
import json
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, keys_path, log_path = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        with open(log_path, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path}\n")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def keys(self):
        with open(keys_path, encoding="utf-8") as file:
            keys = json.load(file)
        lives = keys.pop("lives", 3600)
        keys["Expiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lives))
        return json.dumps(keys)

    def do_PUT(self):
        if self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
            self.answer(200, "metadata-token")
        else:
            self.answer(400, "")

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(text, strict_parsing=True))
        if (form.get("Action"), form.get("Version")) != ("AssumeRoleWithWebIdentity", "2011-06-15") or not form.get("RoleSessionName"):
            self.answer(400, "")
        elif form.get("WebIdentityToken") != "web/token+1":
            self.answer(400, "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>")
        elif form.get("RoleArn") != "arn:aws:iam::123456789012:role/backup":
            self.answer(403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
        else:
            keys = json.loads(self.keys())
            keys["SessionToken"] = keys.pop("Token", "")
            inner = "".join(f"<{name}>{text}</{name}>" for name, text in keys.items())
            self.answer(200, '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                        f"<AssumeRoleWithWebIdentityResult><Credentials>{inner}</Credentials>"
                        "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")

    def do_GET(self):
        if self.path == "/container":
            if self.headers.get("Authorization") == "container-token":
                self.answer(200, self.keys())
            else:
                self.answer(401, "")
        elif self.headers.get("X-aws-ec2-metadata-token") != "metadata-token":
            self.answer(401, "")
        elif self.path == "/latest/meta-data/iam/security-credentials/":
            self.answer(200, "backup-role")
        elif self.path == "/latest/meta-data/iam/security-credentials/backup-role":
            self.answer(200, self.keys())
        else:
            self.answer(404, "")


ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
