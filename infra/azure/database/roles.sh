#!/usr/bin/env bash
# The two roles of the database: app_user for the app, app_owner for migrations. Run it as the administrator of the
# server, inside the network where it is private. It may be run again.
#
#   infra/azure/database/roles.sh       reads the outputs of the infrastructure: `azd env get-values`
#
# Run here on PostgreSQL 17, twice, with a stand-in for Entra's function, which exists on Azure's servers alone
# (tests/unit/azure/test_scripts.py).
set -euo pipefail

: "${DATABASE_HOST:?}" "${DATABASE_NAME:?}" "${APP_IDENTITY_PRINCIPAL_ID:?}" "${DEPLOY_IDENTITY_PRINCIPAL_ID:?}"
administrator=${DATABASE_ADMINISTRATOR:-$(az ad signed-in-user show --query userPrincipalName --output tsv)}
PGPASSWORD=$(az account get-access-token --resource-type oss-rdbms --query accessToken --output tsv)
export PGPASSWORD PGSSLMODE=verify-full PGSSLROOTCERT=system

in_database() {
    psql --host "$DATABASE_HOST" --username "$administrator" --no-psqlrc --set ON_ERROR_STOP=1 --quiet \
        --set app="$APP_IDENTITY_PRINCIPAL_ID" --set deploy="$DEPLOY_IDENTITY_PRINCIPAL_ID" --set base="$DATABASE_NAME" --dbname "$1"
}

# Principals are made in the database postgres. The role's name is ours; the object id says whose it is.
in_database postgres <<'SQL'
SELECT pgaadauth_create_principal_with_oid('app_user', :'app', 'service', false, false)
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'app_user');
SELECT pgaadauth_create_principal_with_oid('app_owner', :'deploy', 'service', false, false)
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'app_owner');
GRANT app_owner TO CURRENT_USER;
ALTER DATABASE :"base" OWNER TO app_owner;
REVOKE ALL ON DATABASE :"base" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"base" TO app_user;
SQL
in_database "$DATABASE_NAME" <<'SQL'
CREATE EXTENSION IF NOT EXISTS btree_gist;
ALTER SCHEMA public OWNER TO app_owner;
GRANT USAGE ON SCHEMA public TO app_user;
SQL
echo "app_user and app_owner are there; app_owner migrates, app_user owns nothing" >&2
