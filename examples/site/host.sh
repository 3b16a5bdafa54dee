#!/bin/sh
# A host to try things on: an OpenSSH server of its own, on loopback, for this user, with keys made for it.
#
#   ./host.sh start    starts it, and writes infrastructure/host.cue; it ends by itself after an hour
#   ./host.sh stop     stops it, and removes everything it had
set -eu
cd "$(dirname "$0")"
here=$(pwd)/host.d
sshd=$(PATH=$PATH:/usr/sbin:/sbin command -v sshd) || { echo "sshd is missing: install openssh-server" >&2; exit 1; }

start() {
    [ ! -d "$here" ] || { echo "it runs already, or was not stopped: ./host.sh stop" >&2; exit 1; }
    mkdir -p "$here/home"
    chmod 700 "$here"
    ssh-keygen -q -t ed25519 -N '' -f "$here/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$here/user_key"
    # where sshd wants its empty directory when it is started by root
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    for try in 1 2 3 4 5 6 7 8 9; do
        port=$((20000 + ($$ + try * 1009) % 20000))
        cat > "$here/sshd_config" <<CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey $here/host_key
AuthorizedKeysFile $here/user_key.pub
PidFile $here/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
SetEnv HOME=$here/home
CONFIG
        timeout 3600 "$sshd" -D -e -f "$here/sshd_config" 2> "$here/log" < /dev/null > /dev/null &
        for wait in 1 2 3 4 5 6 7 8 9 10; do
            if ssh-keyscan -p "$port" -t ed25519 127.0.0.1 2> /dev/null | grep -q ed25519; then
                declare_it
                echo "a host listens on loopback; infrastructure/host.cue says how to reach it"
                return
            fi
            sleep 0.1
        done
    done
    echo "sshd does not start:" >&2
    cat "$here/log" >&2
    exit 1
}

declare_it() {
    pin=$(ssh-keygen -lf "$here/host_key.pub" | cut -d' ' -f2)
    cat > infrastructure/host.cue <<CUE
package site

#Srv: "$here/srv"

hosts: "web-1": {
	address:  "127.0.0.1"
	port:     $port
	user:     "$(id -un)"
	key:      "$here/user_key"
	host_key: "$pin"
	labels: role: "web"
}
CUE
}

stop() {
    if [ -f "$here/sshd.pid" ]; then kill "$(cat "$here/sshd.pid")" 2> /dev/null || true; fi
    rm -rf "$here" infrastructure/host.cue
    echo "stopped"
}

case "${1-}" in
    start) start ;;
    stop) stop ;;
    *) echo "usage: ./host.sh start|stop" >&2; exit 2 ;;
esac
