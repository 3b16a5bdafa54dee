#!/usr/bin/env bash
# 500 files ensured on hosts over SSH on loopback, side by side with `rsync -a` over the same SSH: on one host and on ten at
# once, where nothing is there yet and again where nothing changes. Both sides take turns and the best of each counts, so that
# what else the machine does disturbs both alike. Exits with 1 when Aedile takes more than twice the time of rsync.
#
#   AEDILE=target/release/aedile benches/compare/files.sh [ROUNDS]
set -euo pipefail
. "$(dirname "$0")/common.sh"
need rsync rsync
need sshd openssh-server
need ssh openssh-client

rounds=${1:-5}
files=500

# A project with these hosts, each with the same files below its own directory: site DIRECTORY HOST...
site() {
    local at=$1 name
    shift
    project "$at" "$lab/*"
    mkdir -p "$at/files"
    for n in $(seq "$files"); do
        head -c 1000 /dev/urandom | base64 -w 0 >"$at/files/$n.conf"
    done
    {
        echo 'package compare'
        echo 'import "list"'
        for name in "$@"; do
            host "$name"
            echo "resources: \"$name\": {type: \"linux.file::directory\", config: {path: \"$lab/$name/srv\"}, target: hosts: [\"$name\"]}"
            cat <<CUE
resources: {for n in list.Range(1, $((files + 1)), 1) {"$name-\(n)": {
	type: "linux.file::file"
	config: {path: "$lab/$name/srv/\(n).conf", source: "files/\(n).conf", mode: "0644"}
	target: hosts: ["$name"]
	dependencies: [{resource_id: "$name"}]
}}}
CUE
        done
    } >"$at/infrastructure/site.cue"
}

aedile() (cd "$1" && shift && exec "$AEDILE" "$@")

with_rsync() { # PROJECT HOST...: all at once
    local from=$1/files/ name pids=() pid
    shift
    for name in "$@"; do
        rsync -a -e "$(shell "$name")" "$from" "$(id -un)@127.0.0.1:$lab/$name/copy/" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
}

compare() { # WHAT HOST...
    local what=$1 project=$lab/project-$# round name
    local -A best=()
    shift
    site "$project" "$@"
    # compiles the providers, once for each project
    aedile "$project" plan >/dev/null 2>&1
    for round in $(seq "$rounds"); do
        # put aside, not removed: a file system looks long for numbers that were not in use a moment ago
        mkdir -p "$lab/aside"
        for name in "$@"; do
            for tree in srv copy; do
                [ ! -e "$lab/$name/$tree" ] || mv "$lab/$name/$tree" "$lab/aside/$tree-$name-$#-$round"
            done
        done
        # nothing was ever applied
        find "$project/.aedile" -name 'journal.db*' -delete
        time_of with_rsync "$project" "$@"
        best[rsync-first]=$(least "${best[rsync-first]:-}" "$took")
        time_of aedile "$project" apply --yes
        best[aedile-first]=$(least "${best[aedile-first]:-}" "$took")
        time_of with_rsync "$project" "$@"
        best[rsync-again]=$(least "${best[rsync-again]:-}" "$took")
        time_of aedile "$project" apply --yes
        best[aedile-again]=$(least "${best[aedile-again]:-}" "$took")
        if [ "$round" = 1 ]; then
            for name in "$@"; do
                diff -rq "$project/files" "$lab/$name/srv" || die "what is on $name is not what was declared"
            done
        fi
    done
    for name in first again; do
        say "| $files files, $what, $name | ${best[aedile-$name]} | ${best[rsync-$name]} | $(ratio "${best[aedile-$name]}" "${best[rsync-$name]}") |"
    done
    for name in first again; do
        kept+=("$what, $name: $(ratio "${best[aedile-$name]}" "${best[rsync-$name]}")")
    done
}

kept=()
say "load $(load), best of $rounds turns"
say ''
say '| what | aedile s | rsync s | ratio |'
say '|---|---|---|---|'
serve one
compare '1 host' one
hosts=()
for n in $(seq 10); do
    serve "host-$n"
    hosts+=("host-$n")
done
compare '10 hosts' "${hosts[@]}"
say ''
for one in "${kept[@]}"; do promise "times rsync, ${one%: *}" "${one##*: }" 2; done
exit "$failed"
