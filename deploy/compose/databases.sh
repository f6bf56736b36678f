#!/bin/sh
# A database for each service, owned by a user of its own. Running it again changes only passwords, to what is said.
# PGHOST, PGUSER, PGPASSWORD: an administrator. INGEST_PASSWORD, NORMALIZER_PASSWORD, ADF_MAILER_PASSWORD.
set -eu

own() { # NAME, PASSWORD
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set name="$1" --set password="$2" --dbname postgres <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
}

own ingest "${INGEST_PASSWORD:?}"
own normalizer "${NORMALIZER_PASSWORD:?}"
own adf_mailer "${ADF_MAILER_PASSWORD:?}"
