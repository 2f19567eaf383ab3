#!/usr/bin/env bash
# Registers the application that exo-auth signs in as, with exactly what it needs and nothing else:
#   - the application permission @MANAGE_AS_APP@ of Office 365 Exchange Online, with admin consent
#   - the directory role Exchange Administrator, or none with --role-group (scripts/register-role-group.ps1 gives fewer rights)
#   - a certificate, or federated credentials (no secret at all); or a managed identity instead of an application
#
#   scripts/register-app --tenant contoso.onmicrosoft.com --certificate exo-auth.cer            shows what it would do
#   scripts/register-app --tenant contoso.onmicrosoft.com --certificate exo-auth.cer --apply    does it
#
# Looks before it does anything, so that it can be run again, also after it was interrupted. Needs the Azure CLI (az login
# --allow-no-subscriptions), as somebody who may register applications and give roles: Privileged Role Administrator.
# Written by `exo-auth auth setup --as script`.
set -euo pipefail

readonly RESOURCE_APP_ID='@RESOURCE_APP_ID@' # Office 365 Exchange Online
readonly PERMISSION_ID='@MANAGE_AS_APP_ID@' # @MANAGE_AS_APP@
readonly EXCHANGE_ADMINISTRATOR='@EXCHANGE_ADMINISTRATOR@' # template of the directory role
readonly GITHUB_ISSUER='https://token.actions.githubusercontent.com'

usage() {
  cat <<'TEXT'
register-app --tenant TENANT [WHAT SIGNS IN] [RIGHTS] [--apply]

  --tenant TENANT            id or a verified domain of the tenant that az is signed in to
  --cloud NAME               worldwide (default), gcc, gcchigh, dod or china
  --name NAME                display name of the application (default: exo-auth)
  --app-id ID                an application that is there already, by its client id

What signs in; --federated-subject can be given several times:
  --certificate FILE         the public certificate, DER or PEM (exo-auth auth certificate new)
  --federated-subject TEXT   such as repo:OWNER/REPOSITORY:ref:refs/heads/main
  --federated-issuer URL     whose tokens they are (default: GitHub Actions)
  --managed-identity ID      the object id of a managed identity: no application is made

Rights:
  --role-group               no directory role; run scripts/register-role-group.ps1 afterwards
  --apply                    do it; without it everything is only shown
TEXT
}

fail() {
  echo "error: $1" >&2
  [ -z "${2:-}" ] || echo "hint: $2" >&2
  exit 64
}

tenant='' cloud='worldwide' name='exo-auth' app_id='' certificate='' issuer="$GITHUB_ISSUER" identity='' gives_role=yes applies=no
subjects=()
while [ $# -gt 0 ]; do
  case "$1" in
  --tenant | --cloud | --name | --app-id | --certificate | --federated-subject | --federated-issuer | --managed-identity)
    [ $# -gt 1 ] || fail "$1 needs a value" "register-app --help"
    case "$1" in
    --tenant) tenant="$2" ;;
    --cloud) cloud="$2" ;;
    --name) name="$2" ;;
    --app-id) app_id="$2" ;;
    --certificate) certificate="$2" ;;
    --federated-subject) subjects+=("$2") ;;
    --federated-issuer) issuer="$2" ;;
    --managed-identity) identity="$2" ;;
    esac
    shift 2
    ;;
  --role-group) gives_role=no && shift ;;
  --apply) applies=yes && shift ;;
  -h | --help) usage && exit 0 ;;
  *) fail "there is no option '$1'" "register-app --help" ;;
  esac
done

case "$cloud" in
worldwide | gcc) graph='https://graph.microsoft.com' audience='api://AzureADTokenExchange' ;;
gcchigh) graph='https://graph.microsoft.us' audience='api://AzureADTokenExchangeUSGov' ;;
dod) graph='https://dod-graph.microsoft.us' audience='api://AzureADTokenExchangeUSGov' ;;
china) graph='https://microsoftgraph.chinacloudapi.cn' audience='api://AzureADTokenExchangeChina' ;;
*) fail "there is no cloud '$cloud'" "one of worldwide, gcc, gcchigh, dod, china" ;;
esac
[ -n "$tenant" ] || fail "no tenant is named" "give --tenant contoso.onmicrosoft.com"
for word in "$name" "$app_id" "$identity" "$issuer" ${subjects[@]+"${subjects[@]}"}; do
  case "$word" in *[\"\\]* | *\'*) fail "$word holds a quotation mark or a backslash" "choose another name" ;; esac
done
if [ -n "$identity" ] && [ -n "$certificate$app_id${subjects[*]-}" ]; then
  fail "a managed identity has no certificate, no credential and no application" "give --managed-identity alone"
fi
if [ -n "$certificate" ]; then
  command -v openssl >/dev/null || fail "openssl is needed to read a certificate"
  [ -r "$certificate" ] || fail "$certificate cannot be read" "exo-auth auth certificate new makes one"
  if grep -q 'PRIVATE KEY' "$certificate"; then
    fail "$certificate holds a private key, which stays on the machine of the job" "give the public file, exo-auth.cer"
  fi
fi
command -v az >/dev/null || fail "the Azure CLI (az) is not installed" "https://aka.ms/azcli"

# Microsoft Graph, as the person who is signed in. Nothing that is sent is secret.
ask() { az rest --method GET --resource "$graph" --uri "$graph/v1.0/$1" --query "$2" --output "${3:-tsv}"; }
create() { az rest --method POST --resource "$graph" --uri "$graph/v1.0/$1" --headers 'Content-Type=application/json' --body "$2" --query "$3" --output tsv; }
change() { az rest --method "$1" --resource "$graph" --uri "$graph/v1.0/$2" --headers 'Content-Type=application/json' --body "$3" --output none; }

there() { echo "= $1"; }
planned() { [ "$applies" = no ] && echo "+ would: $1"; }
# do_it SENTENCE METHOD PATH BODY
do_it() {
  planned "$1" && return
  again change "$2" "$3" "$4"
  echo "+ done:  $1"
}
# again COMMAND…: Entra needs a moment before it knows what it has just made
again() {
  local try
  for try in 1 2 3 4 5 6; do
    "$@" && return
    [ "$try" = 6 ] || sleep 5
  done
  return 1
}
# joined ARRAY ENTRY: the JSON array with one entry more
joined() {
  local inner="${1#*[}"
  inner="${inner%]*}"
  if [ -n "${inner//[[:space:]]/}" ]; then echo "[$inner,$2]"; else echo "[$2]"; fi
}

# The tenant: somebody who is signed in elsewhere must not change the wrong one.
tenant_id="$(ask 'organization' 'value[0].id')" ||
  fail "Microsoft Graph could not be asked" "az login --tenant $tenant --allow-no-subscriptions"
domains="$(ask 'organization' 'value[0].verifiedDomains[].name')"
if [ "$tenant" != "$tenant_id" ] && ! grep -qixF -- "$tenant" <<<"$domains"; then
  fail "az is signed in to the tenant $tenant_id, which has no domain $tenant" "az login --tenant $tenant --allow-no-subscriptions"
fi
there "tenant $tenant ($tenant_id)"

# The application, unless a managed identity signs in.
object_id=''
if [ -z "$identity" ]; then
  if [ -n "$app_id" ]; then filter="appId%20eq%20'$app_id'"; else filter="displayName%20eq%20'${name// /%20}'"; fi
  found="$(ask "applications?\$filter=$filter&\$select=id,appId" 'value[].[id,appId]')"
  if [ "$(grep -c . <<<"$found")" -gt 1 ]; then
    fail "there are several applications called $name" "say which with --app-id: $(cut -f 2 <<<"$found" | tr '\n' ' ')"
  fi
  [ -z "$app_id" ] || [ -n "$found" ] || fail "there is no application $app_id in the tenant $tenant_id"
  permission="{\"resourceAppId\":\"$RESOURCE_APP_ID\",\"resourceAccess\":[{\"id\":\"$PERMISSION_ID\",\"type\":\"Role\"}]}"
  what="register the application $name, which asks for @MANAGE_AS_APP@ alone"
  if [ -z "$found" ] && ! planned "$what"; then
    found="$(create applications "{\"displayName\":\"$name\",\"signInAudience\":\"AzureADMyOrg\",\"requiredResourceAccess\":[$permission]}" '[[id,appId]]')"
    echo "+ done:  $what"
  fi
  IFS=$'\t' read -r object_id app_id <<<"$found" || true
fi
if [ -n "$object_id" ]; then
  there "application $name, client id $app_id"
  selected="applications/$object_id?\$select=requiredResourceAccess"
  asked="$(ask "$selected" "requiredResourceAccess[?resourceAppId=='$RESOURCE_APP_ID'].resourceAccess[].id")"
  if grep -qxF "$PERMISSION_ID" <<<"$asked"; then
    there "it asks for @MANAGE_AS_APP@"
  elif [ -n "$asked" ]; then
    fail "the application $app_id asks for other permissions of Exchange Online" "take one of its own: --name exo-auth"
  else
    others="$(ask "$selected" requiredResourceAccess json | tr -d '\n')"
    do_it "ask for @MANAGE_AS_APP@" PATCH "applications/$object_id" "{\"requiredResourceAccess\":$(joined "$others" "$permission")}"
  fi
fi

# Its service principal: what permissions and roles are given to.
principal_id="$identity"
if [ -z "$identity" ]; then
  [ -z "$app_id" ] || principal_id="$(ask "servicePrincipals?\$filter=appId%20eq%20'$app_id'&\$select=id" 'value[].id')"
  if [ -n "$principal_id" ]; then
    there "service principal $principal_id"
  elif ! planned "make its service principal"; then
    principal_id="$(again create servicePrincipals "{\"appId\":\"$app_id\"}" id)"
    echo "+ done:  make its service principal, $principal_id"
  fi
fi

# Admin consent is this assignment of the permission, in the application's own tenant.
resource_id="$(ask "servicePrincipals?\$filter=appId%20eq%20'$RESOURCE_APP_ID'&\$select=id" 'value[].id')"
[ -n "$resource_id" ] || fail "the tenant $tenant_id has no Exchange Online" "does it have a licence for Exchange Online?"
granted=''
if [ -n "$principal_id" ]; then
  granted="$(ask "servicePrincipals/$principal_id/appRoleAssignments" "value[?resourceId=='$resource_id'].appRoleId")"
fi
if grep -qxF "$PERMISSION_ID" <<<"$granted"; then
  there "consent to @MANAGE_AS_APP@ is given"
else
  do_it "give admin consent to @MANAGE_AS_APP@" POST "servicePrincipals/$principal_id/appRoleAssignments" \
    "{\"principalId\":\"$principal_id\",\"resourceId\":\"$resource_id\",\"appRoleId\":\"$PERMISSION_ID\"}"
fi

# The role.
if [ "$gives_role" = yes ]; then
  held=''
  if [ -n "$principal_id" ]; then
    held="$(ask "roleManagement/directory/roleAssignments?\$filter=principalId%20eq%20'$principal_id'" 'value[].roleDefinitionId')"
  fi
  if grep -qxF "$EXCHANGE_ADMINISTRATOR" <<<"$held"; then
    there "it is Exchange Administrator"
  else
    do_it "make it Exchange Administrator" POST roleManagement/directory/roleAssignments \
      "{\"principalId\":\"$principal_id\",\"roleDefinitionId\":\"$EXCHANGE_ADMINISTRATOR\",\"directoryScopeId\":\"/\"}"
  fi
fi

# What it signs in with.
if [ -n "$certificate" ]; then
  form=PEM
  grep -q 'BEGIN CERTIFICATE' "$certificate" || form=DER
  der() { openssl x509 -in "$certificate" -inform "$form" -outform DER; }
  der >/dev/null 2>&1 || fail "$certificate is no certificate" "exo-auth auth certificate new makes one"
  key="$(der | openssl base64 -A)"
  thumbprint="$(der | openssl dgst -sha1 -binary | openssl base64 -A)"
  selected="applications/$object_id?\$select=keyCredentials"
  present=''
  [ -z "$object_id" ] || present="$(ask "$selected" 'keyCredentials[].customKeyIdentifier')"
  if grep -qxF -- "$thumbprint" <<<"$present"; then
    there "it has this certificate"
  elif ! planned "add the certificate $certificate"; then
    others="$(ask "$selected" keyCredentials json | tr -d '\n')"
    entry="{\"type\":\"AsymmetricX509Cert\",\"usage\":\"Verify\",\"displayName\":\"exo-auth\",\"customKeyIdentifier\":\"$thumbprint\",\"key\":\"$key\"}"
    change PATCH "applications/$object_id" "{\"keyCredentials\":$(joined "$others" "$entry")}"
    echo "+ done:  add the certificate $certificate"
  fi
fi
for subject in ${subjects[@]+"${subjects[@]}"}; do
  present=''
  if [ -n "$object_id" ]; then
    present="$(ask "applications/$object_id/federatedIdentityCredentials" "value[?issuer=='$issuer'].subject")"
  fi
  if grep -qxF -- "$subject" <<<"$present"; then
    there "it trusts $subject"
  else
    # Its name is unique in the application, and has 3 to 120 letters, digits and hyphens.
    label="$(printf '%s' "$subject" | tr -c 'A-Za-z0-9' '-' | cut -c 1-110)"
    do_it "trust $subject of $issuer" POST "applications/$object_id/federatedIdentityCredentials" \
      "{\"name\":\"exo-$label\",\"issuer\":\"$issuer\",\"subject\":\"$subject\",\"audiences\":[\"$audience\"]}"
  fi
done

if [ "$applies" = no ]; then
  echo
  echo "Nothing was changed. The same command with --apply does what is shown."
  exit 0
fi
cat <<TEXT

The application is ready; a new role takes up to an hour to count. Then, on the machine of the job:
  export EXO_AUTH_TENANT=$tenant${app_id:+ EXO_AUTH_CLIENT_ID=$app_id}
  exo-auth doctor
TEXT
if [ "$gives_role" = no ]; then
  echo "It has no rights in Exchange yet: scripts/register-role-group.ps1 -AppId ${app_id:-ID} -ObjectId $principal_id -Apply"
fi
