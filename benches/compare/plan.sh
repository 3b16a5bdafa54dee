#!/usr/bin/env bash
# `aedile plan` from CUE source to the rendered plan, with a look at a host over SSH on loopback: 10,000, 20,000 and 40,000
# resources with dependencies, where nothing is there yet (all new) and where everything is as declared (no change), and
# 100,000. Exits with 1 when a promise is not held: a second for 10,000, 20 s and 2 GB for 100,000, and 2.3 per doubling.
#
#   AEDILE=target/release/aedile benches/compare/plan.sh [ROUNDS]
#
# What counts for growth is the processor's time of `aedile` itself, which what else the machine does disturbs least.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need sshd openssh-server
need ssh openssh-client
need /usr/bin/time time

rounds=${1:-5}

# A project of so many files on one host, each depending on one before it: site DIRECTORY COUNT.
site() {
    project "$1" "$lab/*"
    {
        echo 'package compare'
        host one
    } >"$1/infrastructure/hosts.cue"
    # ten thousand lines and more are kept in several files
    awk -v count="$2" -v root="$lab/one/srv" -v into="$1/infrastructure" 'BEGIN {
        for (at = 0; at < count; at++) {
            file = sprintf("%s/site-%d.cue", into, at / 5000)
            if (at % 5000 == 0) print "package compare\n\nresources: {" >file
            printf "\t\"file-%d\": {\n\t\ttype: \"linux.file::file\"\n", at >file
            printf "\t\tconfig: {path: \"%s/%d/%d.conf\", content: \"listen %d;\", mode: \"0644\"}\n", root, at % 100, at, at >file
            printf "\t\tlabels: {component: \"app\", tier: \"web\"}\n" >file
            if (at > 0) printf "\t\tdependencies: [{resource_id: \"file-%d\", type: \"require\"}]\n", int(at / 2) >file
            print "\t}" >file
            if (at % 5000 == 4999 || at == count - 1) { print "}" >file; close(file) }
        }
    }'
}

# What is declared, made by hand: there COUNT.
there() {
    local at
    for at in $(seq 0 99); do mkdir -p "$lab/one/srv/$at"; done
    awk -v count="$1" -v root="$lab/one/srv" 'BEGIN {
        for (at = 0; at < count; at++) {
            file = root "/" at % 100 "/" at ".conf"
            printf "listen %d;", at > file
            close(file)
        }
    }'
    chmod -R u=rwX,go=rX "$lab/one/srv"
}

# One plan: wall in $wall, processor in $cpu, resident MiB in $memory.
one_plan() {
    (cd "$1" && exec /usr/bin/time -f '%e %U %S %M' -o "$lab/figures" "$AEDILE" plan >"$lab/said" 2>"$lab/told") || {
        tail -n 5 "$lab/told" >&2
        die "aedile plan failed in $1"
    }
    local user system
    read -r wall user system memory <"$lab/figures"
    cpu=$(awk -v a="$user" -v b="$system" 'BEGIN { printf "%.2f", a + b }')
    memory=$((memory / 1024))
}

# Measures all sizes in one state: measure STATE ROUNDS SIZE... The rounds of one size follow each other, so that each finds
# the memory that the one before it gave back. After a smaller plan, a larger one would have to ask for more, and a virtual machine
# that gives what is free back to its host gets it slowly: 0.4 s for the 250 MiB between 20,000 and 40,000 resources.
declare -A walls cpus memories
measure() {
    local state=$1 turns=$2 turn size
    shift 2
    for size in "$@"; do
        for turn in $(seq "$turns"); do
            one_plan "$lab/$size"
            if [ "$turn" = 1 ]; then
                case $state in
                    'all new') grep -q "$size to create" "$lab/said" || { tail -n 3 "$lab/said"; die "not all new"; } ;;
                    *) grep -q "^$size unchanged" "$lab/said" || { tail -n 3 "$lab/said"; die "not without changes"; } ;;
                esac
            fi
            walls[$state-$size]=$(least "${walls[$state-$size]:-}" "$wall")
            cpus[$state-$size]=$(least "${cpus[$state-$size]:-}" "$cpu")
            memories[$state-$size]=$(least "${memories[$state-$size]:-}" "$memory")
        done
    done
    for size in "$@"; do
        say "| $size, $state | ${walls[$state-$size]} | ${cpus[$state-$size]} | ${memories[$state-$size]} |"
    done
}

serve one
sizes=(10000 20000 40000)
for size in "${sizes[@]}" 100000; do site "$lab/$size" "$size"; done
# compiles the providers and brings the runner to the host
for size in "${sizes[@]}" 100000; do
    cp -R "$lab/10000/.aedile" "$lab/$size" 2>/dev/null || true
    [ "$size" != 10000 ] || (cd "$lab/10000" && "$AEDILE" plan >/dev/null 2>&1)
done

say "load $(load), best of $rounds turns"
say ''
say '| resources | s | s of processor | MiB |'
say '|---|---|---|---|'
measure 'all new' "$rounds" "${sizes[@]}"
measure 'all new' 2 100000
there 100000
measure 'no change' "$rounds" "${sizes[@]}"
measure 'no change' 2 100000
say ''
for state in 'all new' 'no change'; do
    promise "seconds for 10,000, $state" "${walls[$state-10000]}" 1
    promise "seconds for 100,000, $state" "${walls[$state-100000]}" 20
    promise "MiB for 100,000, $state" "${memories[$state-100000]}" 1907
    promise "times from 10,000 to 20,000, $state" "$(ratio "${cpus[$state-20000]}" "${cpus[$state-10000]}")" 2.3
    promise "times from 20,000 to 40,000, $state" "$(ratio "${cpus[$state-40000]}" "${cpus[$state-20000]}")" 2.3
done
exit "$failed"
