# RBAC for Applications: which mailboxes the app may reach. Run it as an Exchange Administrator; it may be run again.
#
#   ./mailboxes.ps1 -AppId <client id of the managed identity> -ObjectId <its principal id> -Group <mail-enabled security group>
#
# Do not also consent to Calendars.ReadWrite for the tenant: consent and scope add up.
# https://learn.microsoft.com/exchange/permissions-exo/application-rbac (read 2026-11-29)
# Not run where it was written: no tenant was reachable there.
param(
    [Parameter(Mandatory)] [guid] $AppId,
    [Parameter(Mandatory)] [guid] $ObjectId,
    [Parameter(Mandatory)] [string] $Group,
    [string] $MailSender = ''
)
$ErrorActionPreference = 'Stop'
Connect-ExchangeOnline -ShowBanner:$false

if (-not (Get-ServicePrincipal | Where-Object AppId -eq $AppId)) {
    New-ServicePrincipal -AppId $AppId -ObjectId $ObjectId -DisplayName 'Admin Assistant' | Out-Null
}
$scope = 'Admin Assistant mailboxes'
$filter = "MemberOfGroup -eq '$((Get-Group $Group).DistinguishedName)'"
if (Get-ManagementScope $scope -ErrorAction SilentlyContinue) {
    Set-ManagementScope $scope -RecipientRestrictionFilter $filter
} else {
    New-ManagementScope -Name $scope -RecipientRestrictionFilter $filter | Out-Null
}
$wanted = @{ 'Application Calendars.ReadWrite' = $scope; 'Application MailboxSettings.ReadWrite' = $scope }
if ($MailSender) {
    $senderScope = 'Admin Assistant mail sender'
    $senderFilter = "PrimarySmtpAddress -eq '$MailSender'"
    if (Get-ManagementScope $senderScope -ErrorAction SilentlyContinue) {
        Set-ManagementScope $senderScope -RecipientRestrictionFilter $senderFilter
    } else {
        New-ManagementScope -Name $senderScope -RecipientRestrictionFilter $senderFilter | Out-Null
    }
    $wanted['Application Mail.Send'] = $senderScope
    $wanted['Application Mail.ReadBasic'] = $senderScope
}
foreach ($role in $wanted.Keys) {
    $name = "Admin Assistant $role"
    if (-not (Get-ManagementRoleAssignment $name -ErrorAction SilentlyContinue)) {
        New-ManagementRoleAssignment -Name $name -App $ObjectId -Role $role -CustomResourceScope $wanted[$role] | Out-Null
    }
}
Test-ServicePrincipalAuthorization -Identity $ObjectId | Format-Table RoleName, GrantedPermissions, AllowedResourceScope
