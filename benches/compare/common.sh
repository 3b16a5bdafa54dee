# What the comparisons share: servers on loopback, projects, and times. Sourced by the scripts beside it.
#
# Everything is below one new directory, which is removed at the end; servers are stopped by their process ids.

: "${AEDILE:?names the program that is measured; cargo xtask bench sets it}"

lab=$(mktemp -d "${TMPDIR:-/tmp}/aedile-compare.XXXXXX")
servers=()

say() { printf '%s\n' "$*"; }
die() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '\nhint: %s\n' "$2" >&2
    exit 1
}

clean() {
    local pid
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$lab"
}
trap clean EXIT
trap 'exit 130' INT TERM

need() { # COMMAND PACKAGE: what is missing is said, with what installs it
    PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || die "$1 is missing" "apt-get install $2"
}

# An OpenSSH server with keys and a home of its own in a new directory: serve NAME. Its port is in $lab/NAME/port.
serve() {
    local here=$lab/$1 port try wait
    mkdir -p "$here/home"
    chmod 700 "$here"
    ssh-keygen -q -t ed25519 -N '' -f "$here/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$here/user_key"
    # where sshd wants its empty directory when it is started by root
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    for try in 1 2 3 4 5 6 7 8 9; do
        port=$((20000 + (RANDOM + try * 1009) % 20000))
        cat >"$here/sshd_config" <<CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey $here/host_key
AuthorizedKeysFile $here/user_key.pub
PidFile none
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
PermitRootLogin yes
MaxStartups 100
SetEnv HOME=$here/home
CONFIG
        "$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)" -D -e -f "$here/sshd_config" 2>"$here/log" </dev/null >/dev/null &
        local pid=$!
        for wait in $(seq 50); do
            if ssh-keyscan -p "$port" -t ed25519 127.0.0.1 2>/dev/null >"$here/scanned" && [ -s "$here/scanned" ]; then
                # somebody else may have the port, and then the key is not this server's
                if [ "$(cut -d' ' -f3 "$here/scanned")" = "$(cut -d' ' -f2 "$here/host_key.pub")" ]; then
                    servers+=("$pid")
                    mv "$here/scanned" "$here/known_hosts"
                    echo "$port" >"$here/port"
                    return
                fi
            fi
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    cat "$here/log" >&2
    die "sshd does not start"
}

# The ssh command that reaches a server: shell NAME.
shell() {
    local here=$lab/$1
    echo "ssh -p $(cat "$here/port") -i $here/user_key -o IdentitiesOnly=yes -o UserKnownHostsFile=$here/known_hosts -o LogLevel=ERROR"
}

# A host of a configuration: host NAME, on standard output.
host() {
    local here=$lab/$1
    cat <<CUE
hosts: "$1": {address: "127.0.0.1", port: $(cat "$here/port"), user: "$(id -un)", key: "$here/user_key",
	host_key: "$(ssh-keygen -lf "$here/host_key.pub" | cut -d' ' -f2)"}
CUE
}

# A project whose policy lets changes be made without asking anybody: project DIRECTORY PATHS-IT-MAY-WRITE.
project() {
    mkdir -p "$1/infrastructure" "$1/policy"
    printf 'name: compare\n' >"$1/aedile.yaml"
    cat >"$1/policy/policy.yaml" <<YAML
default: allow
grants:
  - match: {action: "resource.*"}
    capabilities: ["write:$2"]
YAML
}

# Seconds a command takes, in $took; what it says is in $lab/said.
took=0
time_of() {
    local begun=$EPOCHREALTIME
    "$@" >"$lab/said" 2>&1 || {
        cat "$lab/said" >&2
        die "failed: $*"
    }
    took=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }')
}

# The smaller of two numbers; the first may be empty.
least() { awk -v a="$1" -v b="$2" 'BEGIN { print (a == "" || b + 0 < a + 0) ? b : a }'; }

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

failed=0
# Says a promise and whether it is held: promise WHAT NUMBER MOST.
promise() {
    if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a + 0 <= b + 0) }'; then
        say "held: $1: $2, at most $3"
    else
        say "NOT held: $1: $2, at most $3"
        failed=1
    fi
}

load() { cut -d' ' -f1 /proc/loadavg; }
