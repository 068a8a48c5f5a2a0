#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that are missing, and only those.
# usage: scripts/deps.sh [--build | --test | --bench | --ci]     (default: --build)
# Assumes nothing but bash, coreutils and apt.
set -euo pipefail

build=(gcc libc6-dev cmake ninja-build pkg-config check libinih-dev libjansson-dev libssl-dev libxxhash-dev
    libsqlite3-dev libarchive-dev zlib1g-dev libzstd-dev libisal-dev libpq-dev libgit2-dev libs3-dev libcurl4-openssl-dev
    libexpat1-dev sqlite3)
tests=(age postgresql python3 jq pigz zstd strace faketime libfaketime attr acl procps util-linux mandoc git openssh-server
    openssh-client ceph-mon ceph-osd radosgw ceph-common awscli rclone openssl python3-swift)
bench=(age postgresql python3 pigz zstd)
ci=(clang shellcheck)

case ${1:---build} in
--build) wanted=("${build[@]}") ;;
--test) wanted=("${build[@]}" "${tests[@]}") ;;
--bench) wanted=("${build[@]}" "${bench[@]}") ;;
--ci) wanted=("${build[@]}" "${tests[@]}" "${ci[@]}") ;;
*)
    echo "usage: scripts/deps.sh [--build | --test | --bench | --ci]" >&2
    exit 2
    ;;
esac

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "deps.sh: these packages are missing, and neither root nor sudo is at hand: ${missing[*]}" >&2
        echo "hint: as root, run: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" </dev/null; }

# The tests make clusters of their own: one that Debian's package makes and starts would be in nobody's interest.
no_cluster=/etc/postgresql-common/createcluster.d/holdfast-deps.conf
install() {
    local result=0 quiet=no
    if [[ " ${missing[*]} " == *" postgresql "* && ! -e /etc/postgresql-common ]]; then
        quiet=yes
        "${as_root[@]}" mkdir -p "${no_cluster%/*}"
        echo "create_main_cluster = false" | "${as_root[@]}" tee "$no_cluster" >/dev/null
    fi
    apt_install || result=$?
    [[ $quiet == no ]] || "${as_root[@]}" rm -f "$no_cluster"
    return "$result"
}
apt_install() { apt -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"; }

echo "installing ${missing[*]}"
# Package lists that are absent or too old to know a package are fetched; otherwise the network is left in peace.
known=yes
for package in "${missing[@]}"; do
    [[ -n $(apt-cache show "$package" 2>/dev/null) ]] || known=no
done
if [[ $known == no ]] || ! install; then
    apt update
    install
fi
