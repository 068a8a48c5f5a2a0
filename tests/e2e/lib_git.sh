# SPDX-License-Identifier: Apache-2.0
#
# Remotes for the tests of the git sink, all on this machine: a folder, an ssh server, and git's own https server.
# shellcheck shell=bash

# free_port: one that nobody listens at now.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start_sshd: an sshd of our own, for this user and one key: $SSH_PORT, $T/ssh/id.
start_sshd() {
    local sshd
    sshd=$(command -v /usr/sbin/sshd) || skip 'needs sshd (scripts/deps.sh --test installs it)'
    mkdir -p "$T/ssh"
    ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/host"
    ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/id"
    cp "$T/ssh/id.pub" "$T/ssh/authorized"
    SSH_PORT=$(free_port)
    cat >"$T/ssh/config" <<END
Port $SSH_PORT
ListenAddress 127.0.0.1
HostKey $T/ssh/host
AuthorizedKeysFile $T/ssh/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PidFile none
END
    root && mkdir -p /run/sshd
    "$sshd" -D -f "$T/ssh/config" -E "$T/ssh/log" &
    wait_for 10 ssh-keyscan -p "$SSH_PORT" 127.0.0.1
}

# start_https ROOT USER PASSWORD: git http-backend behind TLS with an authority of its own: $HTTPS_PORT, $T/tls/ca.pem.
start_https() {
    needs openssl
    mkdir -p "$T/tls"
    (
        cd "$T/tls" || exit
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-ca -keyout ca.key -out ca.pem
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out cert.pem \
            -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1')
    ) >/dev/null 2>&1
    HTTPS_PORT=$(free_port)
    python3 "$SOURCE/tests/tools/git-https.py" "$HTTPS_PORT" "$T/tls" "$1" "$2" "$3" >"$T/tls/log" 2>&1 &
    wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$HTTPS_PORT"
}
