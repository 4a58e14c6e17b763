#!/bin/sh
# Trains as one of several workers: start_worker.sh INDEX HOST:PORT,HOST:PORT,... FLAGS
#
# The addresses are the same for all workers, in the same order; INDEX counts them from 0. When
# another worker is lost, training ends with status 75 and is started again here, where it waits for
# the lost one to come back. Any other status is handed on: 0 is the end of the run, 1 a mistake.
set -u
if [ $# -lt 3 ]; then
    echo "usage: $0 INDEX HOST:PORT,HOST:PORT,... FLAGS of colorization.train" >&2
    exit 2
fi
index=$1
addresses=$(printf '"%s"' "$2" | sed 's/,/", "/g')
shift 2
export TF_CONFIG="{\"cluster\": {\"worker\": [$addresses]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"
# A shell hands no signals on by itself, and one that is process 1 of a container takes none.
trap 'kill -TERM "$worker" 2>/dev/null; exit 143' TERM INT
while :; do
    "${PYTHON:-python}" -m colorization.train "$@" &
    worker=$!
    wait "$worker"
    status=$?
    [ $status -eq 75 ] || exit $status
done
