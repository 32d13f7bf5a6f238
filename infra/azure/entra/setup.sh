#!/usr/bin/env bash
# The Entra side of one environment: app registration, app roles, SPA redirect, federated credential, permissions.
# Run it as an Application Administrator, after the infrastructure. It may be run again: what is there is changed, not doubled.
#
#   APP_IDENTITY_PRINCIPAL_ID=… AZURE_TENANT_ID=… infra/azure/entra/setup.sh ENVIRONMENT [SPA_REDIRECT_URI]
#
# No tenant was reachable where it was written. tests/unit/azure/test_scripts.py runs it twice with a stand-in for az.
set -euo pipefail

environment=${1:?the environment: dev, staging or prod}
redirect=${2:-}
name="Admin Assistant ($environment)"
graph=00000003-0000-0000-c000-000000000000
# Set the second time, when the infrastructure has made the identity.
principal=${APP_IDENTITY_PRINCIPAL_ID:-}

say() { printf '%s\n' "$*" >&2; }

app_id=$(az ad app list --filter "displayName eq '$name'" --query '[0].appId' --output tsv)
if [ -z "$app_id" ]; then
    say "making the registration $name"
    app_id=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)
fi
object_id=$(az ad app show --id "$app_id" --query id --output tsv)

# The ids of roles and of the scope are fixed, so that a second run changes nothing.
read -r -d '' registration <<JSON || true
{
  "identifierUris": ["api://$app_id"],
  "api": {
    "requestedAccessTokenVersion": 2,
    "oauth2PermissionScopes": [{
      "id": "5d1b7e0a-5c0e-4f0e-9a58-6f7d7c1f7a01", "value": "access_as_user", "type": "User", "isEnabled": true,
      "adminConsentDisplayName": "Use Admin Assistant", "adminConsentDescription": "Call the API as the signed-in person.",
      "userConsentDisplayName": "Use Admin Assistant", "userConsentDescription": "Call the API as you."
    }]
  },
  "appRoles": [
    {"id": "5d1b7e0a-5c0e-4f0e-9a58-6f7d7c1f7a11", "value": "User", "displayName": "User", "description": "Sees their own.", "allowedMemberTypes": ["User"], "isEnabled": true},
    {"id": "5d1b7e0a-5c0e-4f0e-9a58-6f7d7c1f7a12", "value": "Admin", "displayName": "Admin", "description": "Manages the tenant.", "allowedMemberTypes": ["User", "Application"], "isEnabled": true},
    {"id": "5d1b7e0a-5c0e-4f0e-9a58-6f7d7c1f7a13", "value": "Auditor", "displayName": "Auditor", "description": "Reads, changes nothing.", "allowedMemberTypes": ["User", "Application"], "isEnabled": true}
  ]
}
JSON
az rest --method PATCH --url "https://graph.microsoft.com/v1.0/applications/$object_id" \
    --headers Content-Type=application/json --body "$registration" --output none

if [ -n "$redirect" ]; then
    # A single-page application signs in by PKCE: no secret, no implicit flow.
    az rest --method PATCH --url "https://graph.microsoft.com/v1.0/applications/$object_id" \
        --headers Content-Type=application/json --body "{\"spa\": {\"redirectUris\": [\"$redirect\"]}}" --output none
fi

if [ -z "$(az ad sp list --filter "appId eq '$app_id'" --query '[0].id' --output tsv)" ]; then
    say "making its enterprise application"
    az ad sp create --id "$app_id" --output none
fi

# Delegated permissions, for what a signed-in person does in their own mailbox.
az ad app permission add --id "$app_id" --api "$graph" --only-show-errors --api-permissions \
    1ec239c2-d7c9-4623-a91a-a9775856bb36=Scope \
    818c620a-27a9-40bd-a6a5-d96f7d610b4b=Scope \
    e1fe6dd8-ba31-4d61-89e7-88639da4683d=Scope

if [ -z "$principal" ]; then
    say "the registration is there; run this again with APP_IDENTITY_PRINCIPAL_ID after the infrastructure"
    printf 'ADMIN_ASSISTANT_CLIENT_ID=%s\n' "$app_id"
    exit 0
fi
: "${AZURE_TENANT_ID:?the home tenant, an output of the infrastructure}"

# The managed identity vouches for the registration, in further tenants and on behalf of people.
credential="managed-identity-$environment"
if [ -z "$(az ad app federated-credential list --id "$app_id" --query "[?name=='$credential'].name" --output tsv)" ]; then
    say "trusting the managed identity"
    az ad app federated-credential create --id "$app_id" --output none --parameters "{
        \"name\": \"$credential\",
        \"issuer\": \"https://login.microsoftonline.com/$AZURE_TENANT_ID/v2.0\",
        \"subject\": \"$principal\",
        \"audiences\": [\"api://AzureADTokenExchange\"]
    }"
fi

# Application permissions of the managed identity that no scope at Exchange can give: the directory.
graph_sp=$(az ad sp list --filter "appId eq '$graph'" --query '[0].id' --output tsv)
assigned=$(az rest --method GET --query 'value[].appRoleId' --output tsv \
    --url "https://graph.microsoft.com/v1.0/servicePrincipals/$principal/appRoleAssignments")
for role in User.Read.All GroupMember.Read.All; do
    id=$(az ad sp show --id "$graph" --query "appRoles[?value=='$role'].id | [0]" --output tsv)
    if ! grep -qx "$id" <<<"$assigned"; then
        say "giving the managed identity $role"
        az rest --method POST --output none --headers Content-Type=application/json \
            --url "https://graph.microsoft.com/v1.0/servicePrincipals/$principal/appRoleAssignments" \
            --body "{\"principalId\": \"$principal\", \"resourceId\": \"$graph_sp\", \"appRoleId\": \"$id\"}"
    fi
done
say "done; mailboxes are given by infra/azure/entra/mailboxes.ps1"
printf 'ADMIN_ASSISTANT_CLIENT_ID=%s\n' "$app_id"
