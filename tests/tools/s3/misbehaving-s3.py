#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that misbehaves on purpose, on 127.0.0.1: what it does is chosen by the last element of the path.
usage: misbehaving-s3.py PORT"""
import socket, sys, threading, struct, time
def rd(c):
    b = b''
    while b'\r\n\r\n' not in b:
        d = c.recv(65536)
        if not d: return None, None, b''
        b += d
    h, rest = b.split(b'\r\n\r\n', 1)
    lines = h.decode('latin1').split('\r\n')
    hd = {l.split(':',1)[0].lower(): l.split(':',1)[1].strip() for l in lines[1:]}
    return lines[0], hd, rest
def body(c, hd, rest, n=None):
    n = int(hd.get('content-length', 0)) if n is None else n
    while len(rest) < n:
        d = c.recv(65536)
        if not d: break
        rest += d
    return rest
def resp(c, st, b=b'', extra=''):
    c.sendall(('HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n' % (st, len(b), extra)).encode() + b)
def one(c):
    try:
        while True:
            rl, hd, rest = rd(c)
            if rl is None: return
            m, path, _ = rl.split(' '); k = path.split('?')[0].rsplit('/',1)[1]
            print(m, path, hd.get('expect'), hd.get('content-length'), hd.get('connection'), flush=True)
            go = lambda: c.sendall(b'HTTP/1.1 100 Continue\r\n\r\n') if 'expect' in hd else None
            if m == 'PUT':
                if k == 'early503': resp(c, '503 Slow Down'); return
                if k == 'early403xml': resp(c, '403 Forbidden', b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>x</Message></Error>'); return
                if k == 'no100': b = body(c, hd, rest); resp(c, '200 OK', b'', 'ETag: "x"\r\n'); continue
                go()
                if k == 'dropmid':
                    body(c, hd, rest, 200000); c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii',1,0)); return
                if k == 'stall0': time.sleep(100); return
                if k == 'slow':
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    n = len(rest)
                    while n < int(hd['content-length']): n += len(c.recv(8192)); time.sleep(0.08)
                    resp(c, '200 OK', b'', 'ETag: "x"\r\n'); continue
                body(c, hd, rest)
                if k == 'e503empty': resp(c, '503 Service Unavailable')
                elif k == 'e500empty': resp(c, '500 Oops')
                elif k == 'e403empty': resp(c, '403 Forbidden')
                elif k == 'e507html': resp(c, '507 Insufficient Storage', b'<html><body><h1>507 Insufficient Storage</h1></body></html>', 'Content-Type: text/html\r\n')
                elif k == 'e502html': resp(c, '502 Bad Gateway', b'<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n', 'Content-Type: text/html\r\n')
                elif k == 'e503text': resp(c, '503 Service Unavailable', b'upstream connect error', 'Content-Type: text/plain\r\n')
                elif k == 'e503json': resp(c, '503 Service Unavailable', b'{"error":"x"}')
                elif k == 'e503xml': resp(c, '503 Slow Down', b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>x</Message></Error>')
                elif k == 'newcode': resp(c, '409 Conflict', b'<?xml version="1.0"?><Error><Code>ConditionalRequestConflict</Code><Message>x</Message></Error>')
                elif k == 'dropafter': return
                elif k == 'stall': time.sleep(100); return
                else: resp(c, '200 OK', b'', 'ETag: "x"\r\n')
            elif k == 'slowname': # of an upload; HEAD tells of the uploads: begun * 10 + those that were not taken back
                if m == 'POST': uploads[0] += 1; time.sleep(0.5); uploads[1] += 1; resp(c, '200 OK', b'<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>')
                elif m == 'DELETE': uploads[1] -= 1; resp(c, '204 No Content')
                else: c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % (uploads[0] * 10 + uploads[1]))
            else:
                if k == 'trunc': c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nETag: "e"\r\n\r\n' + b'x'*500000); return
                if k == 'trunchunk': c.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: "e"\r\n\r\n' + b'3e8\r\n' + b'x'*1000 + b'\r\n'); return
                if k == 'rst': c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nETag: "e"\r\n\r\n' + b'x'*500000); time.sleep(0.2); c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii',1,0)); return
                if k == 'lower': c.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 10\r\netag: "e"\r\n\r\n' + b'x'*10); continue
                if k == 'e503empty': resp(c, '503 Service Unavailable'); continue
                if k == 'e502html': resp(c, '502 Bad Gateway', b'<html><body>502</body></html>'); continue
                if k == 'noresp': return
                if m == 'HEAD': c.sendall(b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'); continue
                if k == 'b-1' and 'list-type' in path: resp(c, '200 OK', b'<ListBucketResult></ListBucketResult>'); continue
                if path.startswith('/b-1/?') and 'max-keys' in path: resp(c, '200 OK', b'<ListBucketResult></ListBucketResult>'); continue
                if k == 'redir': resp(c, '307 Temporary Redirect', b'', 'Location: http://localhost:%d/b/lower\r\n' % PORT); continue
                resp(c, '200 OK', b'hello')
    finally: c.close()
uploads = [0, 0]
PORT = int(sys.argv[1]); s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', PORT)); s.listen(50)
while True:
    c, _ = s.accept(); threading.Thread(target=one, args=(c,), daemon=True).start()
