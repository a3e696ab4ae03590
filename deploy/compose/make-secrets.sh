#!/bin/sh
# Makes the passwords that compose.yaml reads, once; what is there already stays. Usage: deploy/compose/make-secrets.sh
set -eu
folder="$(dirname "$0")/secrets"
umask 077
mkdir -p "$folder"

# A password for URLs: 32 random bytes as hexadecimal digits.
password() {
	od -An -tx1 -N32 /dev/urandom | tr -d ' \n'
}

# keep NAME VALUE: write it unless the file is there.
keep() {
	[ -s "$folder/$1" ] || printf '%s\n' "$2" > "$folder/$1"
}

keep postgres_password "$(password)"
keep admin_database_url "postgresql://postgres:$(cat "$folder/postgres_password")@postgres/postgres"
keep database_url "postgresql://live_validation_app:$(password)@postgres/live_validation"
keep ingest_database_url "postgresql://live_validation_ingest:$(password)@postgres/live_validation"
keep migrate_database_url "postgresql://live_validation_migrate:$(password)@postgres/live_validation"
keep secret_key "$(password)"
keep encryption_keys "$(password)"
for server in redis redis-cache; do
	word=$(password)
	keep "${server}_url" "redis://live_validation:$word@$server:6379/0"
	# The account's rights are those of `make run`: everything but what can harm a server. Nobody can be `default`; its
	# rights are for reading the log at start.
	keep "${server}.acl" "user default off ~* &* +@all
user live_validation on >$word ~* &* +@all -@dangerous -@admin +info"
done
echo "Secrets are in $folder. mail_url is yours to write there: smtps://user:password@mail.example.com:465"
