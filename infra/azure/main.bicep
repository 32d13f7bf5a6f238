metadata description = 'Admin Assistant in one resource group. See docs/deployment.md.'

targetScope = 'subscription'

@description('Which of the three environments this is. Parameters of each stand in parameters/.')
@allowed(['dev', 'staging', 'prod'])
param environmentName string

@description('personal: the smallest of everything, no network isolation. firm: a virtual network with private endpoints.')
@allowed(['personal', 'firm'])
param size string

@description('Name of the azd environment; azd finds its resource group by the tag azd-env-name.')
param azdEnvironmentName string = 'admin-assistant-${environmentName}'

@description('Azure region. It must offer Flex Consumption and Durable Task Scheduler.')
param location string

@description('Application (client) id of the registration that the Entra script makes.')
param apiClientId string

@description('Audience of tokens for the API: the client id (v2 tokens) or the application id URI.')
param apiAudience string = apiClientId

@description('Home tenant of the installation.')
param tenantId string = tenant().tenantId

@description('Mail addresses that alerts go to.')
param alertEmails string[]

@description('IANA time zone of the nightly archive.')
param defaultTimeZone string = 'UTC'

@description('Local time of the nightly archive, HH:MM.')
param nightlyAt string = '02:00'

@description('Mailbox that mail to people who are no users is sent from; empty: none is sent.')
param mailSender string = ''

@description('Origins that browsers may call the API from, with commas between; empty: none.')
param corsOrigins string = ''

@description('Public address of the API, if it has a domain of its own; empty: that of the function app.')
param publicUrl string = ''

@description('scheduler: Durable Task Scheduler. storage: the host storage account (queues, tables, blobs).')
@allowed(['scheduler', 'storage'])
param durableBackend string = 'scheduler'

@description('Recreate restarts all instances at a deployment. RollingUpdate is in preview.')
@allowed(['Recreate', 'RollingUpdate'])
param siteUpdateStrategy string = 'Recreate'

@description('App Service authentication in front of the app. Off: the API checks each token itself, and a page signs in by PKCE.')
param appServiceAuthentication bool = false

@description('OWNER/REPOSITORY at GitHub whose workflow may deploy; empty: no workflow may.')
param githubRepository string = ''

@description('Whether Graph subscriptions are in use, so that their absence is an alert.')
param subscriptionsInUse bool = false

@description('App settings whose values are secrets of the key vault: name of the setting to name of the secret.')
param secretSettings object = {}

@description('Monthly budget in the currency of the subscription; 0: no budget.')
@minValue(0)
param budgetAmount int = 0

@description('First day of the month that the budget begins with, YYYY-MM-01. It must stay the same on later runs.')
param budgetStart string = ''

// Of an environment variable that is not set, split() makes one empty address.
var emails = empty(join(alertEmails, '')) ? [] : alertEmails
var profiles = loadJsonContent('profiles.json')
var profile = profiles[size][environmentName]
var token = toLower(uniqueString(subscription().id, azdEnvironmentName, location))
var tags = {
  application: 'admin-assistant'
  environment: environmentName
  size: size
  'azd-env-name': azdEnvironmentName
}

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${azdEnvironmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    appIdentityName: 'id-app-${token}'
    deployIdentityName: 'id-deploy-${token}'
    location: location
    tags: tags
    githubRepository: githubRepository
    githubEnvironment: environmentName
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    workspaceName: 'log-${token}'
    insightsName: 'appi-${token}'
    location: location
    tags: tags
    retentionDays: profile.logRetentionDays
    dailyQuotaGb: profile.dailyLogGB
    publisherPrincipalId: identity.outputs.appPrincipalId
  }
}

module network 'modules/network.bicep' = if (profile.privateNetwork) {
  scope: group
  params: {
    name: 'vnet-${token}'
    location: location
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    hostAccountName: 'sthost${token}'
    dataAccountName: 'stdata${token}'
    location: location
    tags: tags
    sku: profile.storageSku
    publicAccess: !profile.privateNetwork
    appPrincipalId: identity.outputs.appPrincipalId
    deployPrincipalId: identity.outputs.deployPrincipalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    tenantId: tenantId
    publicAccess: !profile.privateNetwork
    appPrincipalId: identity.outputs.appPrincipalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module scheduler 'modules/scheduler.bicep' = if (durableBackend == 'scheduler') {
  scope: group
  params: {
    name: 'dts-${token}'
    location: location
    tags: tags
    skuName: profile.schedulerSku
    skuCapacity: profile.schedulerCapacity
    publicAccess: !profile.privateNetwork
    appPrincipalId: identity.outputs.appPrincipalId
    deployPrincipalId: identity.outputs.deployPrincipalId
  }
}

module database 'modules/database.bicep' = {
  scope: group
  params: {
    name: 'psql-${token}'
    location: location
    tags: tags
    tenantId: tenantId
    skuName: profile.databaseSku
    skuTier: profile.databaseTier
    storageGB: profile.databaseStorageGB
    highAvailability: profile.databaseHighAvailability
    backupDays: profile.backupDays
    geoBackup: profile.geoBackup
    maxConnections: profile.maxConnections
    publicAccess: !profile.privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module endpoints 'modules/endpoints.bicep' = if (profile.privateNetwork) {
  scope: group
  params: {
    location: location
    tags: tags
    networkId: network!.outputs.networkId
    subnetId: network!.outputs.endpointSubnetId
    hostStorageId: storage.outputs.hostAccountId
    dataStorageId: storage.outputs.dataAccountId
    vaultId: vault.outputs.vaultId
    databaseId: database.outputs.serverId
    schedulerId: durableBackend == 'scheduler' ? scheduler!.outputs.schedulerId : ''
  }
}

module app 'modules/functionApp.bicep' = {
  scope: group
  params: {
    name: 'func-${token}'
    planName: 'plan-${token}'
    location: location
    tags: tags
    profile: profile
    environmentName: environmentName
    identityId: identity.outputs.appIdentityId
    identityClientId: identity.outputs.appClientId
    deployPrincipalId: identity.outputs.deployPrincipalId
    hostStorageName: storage.outputs.hostAccountName
    deploymentContainerUrl: storage.outputs.deploymentContainerUrl
    personKeyStoreUrl: storage.outputs.personKeyStoreUrl
    fileStoreUrl: storage.outputs.fileStoreUrl
    vaultUri: vault.outputs.vaultUri
    secretSettings: secretSettings
    insightsConnectionString: monitoring.outputs.insightsConnectionString
    databaseHost: database.outputs.serverHost
    databaseName: database.outputs.databaseName
    schedulerEndpoint: durableBackend == 'scheduler' ? scheduler!.outputs.endpoint : ''
    taskHubName: durableBackend == 'scheduler' ? scheduler!.outputs.taskHubName : 'AdminAssistant'
    subnetId: profile.privateNetwork ? network!.outputs.functionSubnetId : ''
    siteUpdateStrategy: siteUpdateStrategy
    appServiceAuthentication: appServiceAuthentication
    tenantId: tenantId
    apiClientId: apiClientId
    apiAudience: apiAudience
    mailSender: mailSender
    publicUrl: publicUrl
    corsOrigins: corsOrigins
    nightlyAt: nightlyAt
    defaultTimeZone: defaultTimeZone
    workspaceId: monitoring.outputs.workspaceId
  }
  // Instances that start before their endpoints are there cannot reach the storage account.
  dependsOn: [endpoints]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    environmentName: environmentName
    emails: emails
    insightsId: monitoring.outputs.insightsId
    databaseId: database.outputs.serverId
    maxConnections: profile.maxConnections
    subscriptionsInUse: subscriptionsInUse
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    insightsId: monitoring.outputs.insightsId
  }
}

module budget 'modules/budget.bicep' = if (budgetAmount > 0 && !empty(budgetStart)) {
  scope: group
  params: {
    name: 'budget-${environmentName}'
    amount: budgetAmount
    startDate: budgetStart
    emails: emails
    actionGroupId: alerts.outputs.actionGroupId
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_TENANT_ID string = tenantId
output FUNCTION_APP_NAME string = app.outputs.name
output FUNCTION_APP_URL string = app.outputs.url
output APP_IDENTITY_NAME string = identity.outputs.appIdentityName
output APP_IDENTITY_PRINCIPAL_ID string = identity.outputs.appPrincipalId
output APP_IDENTITY_CLIENT_ID string = identity.outputs.appClientId
output DEPLOY_IDENTITY_NAME string = identity.outputs.deployIdentityName
output DEPLOY_IDENTITY_PRINCIPAL_ID string = identity.outputs.deployPrincipalId
output DEPLOY_IDENTITY_CLIENT_ID string = identity.outputs.deployClientId
output DATABASE_SERVER_NAME string = database.outputs.serverName
output DATABASE_HOST string = database.outputs.serverHost
output DATABASE_NAME string = database.outputs.databaseName
output ARTEFACT_CONTAINER_URL string = storage.outputs.artefactContainerUrl
output DURABLE_BACKEND string = durableBackend
output PRIVATE_NETWORK bool = profile.privateNetwork
