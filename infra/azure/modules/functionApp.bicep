metadata description = 'The Functions app on Flex Consumption.'

param name string
param planName string
param location string
param tags object

@description('One profile of profiles.json.')
param profile object

param environmentName string
param identityId string
param identityClientId string
param deployPrincipalId string
param hostStorageName string
param deploymentContainerUrl string
param personKeyStoreUrl string
param fileStoreUrl string
param vaultUri string

@description('Name of the setting to name of the secret, which somebody puts into the vault.')
param secretSettings object

param insightsConnectionString string
param databaseHost string
param databaseName string

@description('Empty: Durable keeps its state in the host storage account.')
param schedulerEndpoint string

param taskHubName string

@description('Empty: no virtual network.')
param subnetId string

param siteUpdateStrategy string
param appServiceAuthentication bool
param tenantId string
param apiClientId string
param apiAudience string
param mailSender string
param publicUrl string
param corsOrigins string
param nightlyAt string
param defaultTimeZone string
param workspaceId string

var websiteContributor = 'de139f84-1756-47ae-9be6-808fbbe84772'
var alwaysReadyHttp = profile.alwaysReadyHttp > 0
  ? [
      {
        name: 'http'
        instanceCount: profile.alwaysReadyHttp
      }
    ]
  : []
var alwaysReadyDurable = profile.alwaysReadyDurable > 0
  ? [
      {
        name: 'durable'
        instanceCount: profile.alwaysReadyDurable
      }
    ]
  : []
var schedulerSettings = empty(schedulerEndpoint)
  ? []
  : [
      {
        name: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
        value: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${identityClientId}'
      }
      {
        name: 'AzureFunctionsJobHost__extensions__durableTask__storageProvider__type'
        value: 'azureManaged'
      }
      {
        name: 'AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionStringName'
        value: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
      }
    ]
var fromVault = [
  for each in items(secretSettings): {
    name: each.key
    value: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${each.value})'
  }
]
// What stands nowhere here has its default in shared/settings.py: see defaulted-settings.json.
var settings = [
  { name: 'AzureWebJobsStorage__accountName', value: hostStorageName }
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'AzureWebJobsStorage__clientId', value: identityClientId }
  { name: 'AzureFunctionsJobHost__extensions__durableTask__hubName', value: taskHubName }
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insightsConnectionString }
  { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'ClientId=${identityClientId};Authorization=AAD' }
  { name: 'ADMIN_ASSISTANT_ENVIRONMENT', value: environmentName == 'dev' ? 'development' : 'production' }
  { name: 'ADMIN_ASSISTANT_LOG_LEVEL', value: 'INFO' }
  { name: 'ADMIN_ASSISTANT_DATABASE_URL', value: 'postgresql://app_user@${databaseHost}:5432/${databaseName}?sslmode=verify-full' }
  { name: 'ADMIN_ASSISTANT_DATABASE_ENTRA_AUTH', value: 'true' }
  { name: 'ADMIN_ASSISTANT_DATABASE_POOL_SIZE', value: string(profile.poolSize) }
  { name: 'ADMIN_ASSISTANT_DATABASE_MAX_OVERFLOW', value: string(profile.poolOverflow) }
  { name: 'ADMIN_ASSISTANT_TENANT_ID', value: tenantId }
  { name: 'ADMIN_ASSISTANT_CLIENT_ID', value: apiClientId }
  { name: 'ADMIN_ASSISTANT_MANAGED_IDENTITY_CLIENT_ID', value: identityClientId }
  { name: 'ADMIN_ASSISTANT_API_AUDIENCE', value: apiAudience }
  { name: 'ADMIN_ASSISTANT_AUTHORITY', value: environment().authentication.loginEndpoint }
  { name: 'ADMIN_ASSISTANT_PERSON_KEY_STORE', value: personKeyStoreUrl }
  { name: 'ADMIN_ASSISTANT_STORAGE', value: fileStoreUrl }
  { name: 'ADMIN_ASSISTANT_MAIL_SENDER', value: mailSender }
  { name: 'ADMIN_ASSISTANT_PUBLIC_URL', value: empty(publicUrl) ? 'https://${name}.azurewebsites.net/api' : publicUrl }
  { name: 'ADMIN_ASSISTANT_CORS_ORIGINS', value: corsOrigins }
  { name: 'ADMIN_ASSISTANT_NIGHTLY_AT', value: nightlyAt }
  { name: 'ADMIN_ASSISTANT_DEFAULT_TIME_ZONE', value: defaultTimeZone }
]

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: profile.zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  // azd finds the app of the service by this tag.
  tags: union(tags, {
    'azd-service-name': 'api'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    // Graph's notifications and browsers come from the internet; the token is the guard.
    publicNetworkAccess: 'Enabled'
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        maximumInstanceCount: profile.maximumInstances
        instanceMemoryMB: profile.instanceMemoryMB
        alwaysReady: concat(alwaysReadyHttp, alwaysReadyDurable)
        triggers: {
          http: {
            perInstanceConcurrency: profile.httpConcurrency
          }
        }
      }
      siteUpdateStrategy: {
        type: siteUpdateStrategy == 'RollingUpdate' ? 'RollingUpdate' : 'Recreate'
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      appSettings: concat(settings, schedulerSettings, fromVault)
    }
  }
}

// Deployments sign in with Entra; user names and passwords of the site are off.
resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

// Off by default: its token store needs a key of the storage account, and there is none. Graph and Azure bring no token
// of ours, so what they call is left out.
resource authentication 'Microsoft.Web/sites/config@2025-03-01' = if (appServiceAuthentication) {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
      excludedPaths: [
        '/api/health/live'
        '/api/health/ready'
        '/api/v1/webhooks/graph'
        '/runtime/webhooks/durabletask'
      ]
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: apiClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [apiAudience]
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}

resource deployer 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(app.id, deployPrincipalId, websiteContributor)
  scope: app
  properties: {
    principalId: deployPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', websiteContributor)
  }
}

resource metrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'metrics'
  scope: app
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
