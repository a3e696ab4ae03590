#!/bin/sh
# Keeps one segment of the WAL: archive_command = 'sh …/scripts/archive_wal.sh %p %f /the/archive'
# On disk before PostgreSQL hears of it, under its name only when it is whole, and never over another one.
set -eu
target="$3/$2"
if [ -f "$target" ]; then
    cmp -s "$1" "$target" # after a crash PostgreSQL may bring the same one again
    exit
fi
cp "$1" "$target.new"
sync "$target.new"
mv "$target.new" "$target"
sync "$3"
