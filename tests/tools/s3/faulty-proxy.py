#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and an S3 server, and does harm by rules.

usage: faulty-proxy.py PORT UPSTREAM-PORT RULES LOG

RULES is a file of JSON lines, read for each request; the first that fits and is not used up counts:
  {"method": "POST", "match": "uploadId=", "do": "lose-answer", "times": 1, "skip": 0}
method and match (a part of path and query) may be left out. What to do:
  answer       "status" and "body" instead of the server's; the request is read and goes nowhere. "header": only when it has it
  lose-answer  the server does it, and the connection is closed without a word
  spoil-answer the server does it, and "status" and "body" are what the client gets
  break        the connection is reset after "after" bytes of the request's body
  alter        one bit of the request's body is another, "after" bytes from its begin
  cut          the connection is reset after "after" bytes of the answer's body
  stall        nothing happens for "seconds" after "after" bytes of the answer's body
  run          all goes its way
  no-continue  all goes its way, but a client that expects "100 Continue" waits for it in vain
Whatever it is, "command" is run first.
It may also be used as an HTTP proxy, with or without CONNECT.
LOG gets a line for each request: METHOD PATH RULE. Of a CONNECT: CONNECT HOST:PORT and the user and password, in base64.
"""
import json
import socket
import struct
import subprocess
import sys
import threading
import time

port, upstream, rules_path, log_path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
lock = threading.Lock()
used = {}


class Closed(Exception):
    pass


def read_head(sock, rest):
    while b"\r\n\r\n" not in rest:
        data = sock.recv(65536)
        if not data:
            raise Closed
        rest += data
    head, rest = rest.split(b"\r\n\r\n", 1)
    lines = head.decode("latin1").split("\r\n")
    headers = [line.split(":", 1) for line in lines[1:]]
    return lines[0], [(name.strip(), value.strip()) for name, value in headers], rest


def header(headers, name):
    return next((value for key, value in headers if key.lower() == name), None)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Closed


def find_rule(method, path, headers):
    with lock:
        try:
            with open(rules_path, encoding="utf-8") as file:
                lines = [line for line in file.read().splitlines() if line.strip()]
        except FileNotFoundError:
            lines = []
        for line in lines:
            rule = json.loads(line)
            if rule.get("method", method) != method or rule.get("match", "") not in path:
                continue
            if "header" in rule and header(headers, rule["header"]) is None:
                continue
            count = used.get(line, 0)
            used[line] = count + 1
            if rule.get("skip", 0) <= count < rule.get("skip", 0) + rule.get("times", 1 << 30):
                return rule
    return {}


def pipe(source, target, rest, length, after=None, at=None, alter=None):
    """Passes on `length` bytes, or all there are (None); at(): called once after `after` bytes; alter: where one bit is flipped."""
    done = 0
    while length is None or done < length:
        if after is not None and done >= after:
            after = None
            at()
        left = 65536 if length is None else min(65536, length - done)
        data = rest[:left] or source.recv(left)
        rest = rest[len(data):]
        if not data and length is None:
            break
        if not data:
            raise Closed
        if after is not None and done + len(data) > after:
            data, rest = data[:after - done], data[after - done:] + rest
        if alter is not None and done <= alter < done + len(data):
            data = data[:alter - done] + bytes([data[alter - done] ^ 1]) + data[alter - done + 1:]
        if data and target:
            target.sendall(data)
        done += len(data)
    if after is not None and done >= after:
        at()
    return rest


def answer(client, rule):
    body = rule.get("body", "").encode()
    extra = "".join(f"{name}: {value}\r\n" for name, value in rule.get("headers", {}).items())
    client.sendall(f"HTTP/1.1 {rule.get('status', '200 OK')}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)


def forward(client, server, line, headers, rest, rule):
    length = int(header(headers, "content-length") or 0)
    kept = [(name, value) for name, value in headers if name.lower() not in ("connection", "expect")]
    head = line + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in kept) + "Connection: close\r\n\r\n"
    server.sendall(head.encode("latin1"))
    breaks = rule.get("do") == "break"
    rest = pipe(client, server, rest, length, rule["after"] if breaks else None, (lambda: reset(client)) if breaks else None,
                rule["after"] if rule.get("do") == "alter" else None)
    status, answer_headers, answer_rest = read_head(server, b"")
    size = int(header(answer_headers, "content-length") or 0) if not line.startswith("HEAD") else 0
    if header(answer_headers, "transfer-encoding"):
        size = None
    if rule.get("do") in ("lose-answer", "spoil-answer"):
        pipe(server, None, answer_rest, size)
        if rule["do"] == "lose-answer":
            raise Closed
        answer(client, rule)
        return rest
    kept = [(name, value) for name, value in answer_headers if name.lower() != "connection"]
    client.sendall((status + "\r\n" + "".join(f"{n}: {v}\r\n" for n, v in kept) + "\r\n").encode("latin1"))
    harm = {"cut": lambda: reset(client), "stall": lambda: time.sleep(rule["seconds"])}.get(rule.get("do"))
    pipe(server, client, answer_rest, size, rule.get("after", 0) if harm else None, harm)
    return rest


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        target.close()


def tunnel(client, where, headers, rest):
    with lock, open(log_path, "a", encoding="utf-8") as file:
        file.write(f"CONNECT {where} {header(headers, 'proxy-authorization')}\n")
    host, _, number = where.rpartition(":")
    with socket.create_connection((host, int(number))) as server:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        server.sendall(rest)
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


def serve(client):
    rest = b""
    try:
        while True:
            line, headers, rest = read_head(client, rest)
            method, path, _ = line.split(" ")
            if method == "CONNECT":
                return tunnel(client, path, headers, rest)
            if path.startswith("http://"):
                path = "/" + path.split("/", 3)[3]
                line = f"{method} {path} HTTP/1.1"
            rule = find_rule(method, path, headers)
            with lock, open(log_path, "a", encoding="utf-8") as file:
                file.write(f"{method} {path} {rule.get('do', '-')}\n")
            if "command" in rule:
                subprocess.run(["bash", "-c", rule["command"]], check=False)
            if header(headers, "expect") and rule.get("do") != "no-continue":
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            if rule.get("do") == "answer":
                rest = pipe(client, None, rest, int(header(headers, "content-length") or 0))
                answer(client, rule)
                continue
            with socket.create_connection(("127.0.0.1", upstream)) as server:
                rest = forward(client, server, line, headers, rest, rule)
    except (Closed, OSError):
        pass
    finally:
        client.close()


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(50)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
