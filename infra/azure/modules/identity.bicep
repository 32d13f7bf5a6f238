metadata description = 'The identity the app runs as, and the one that deploys it.'

param appIdentityName string
param deployIdentityName string
param location string
param tags object

@description('OWNER/REPOSITORY; empty: nothing is federated.')
param githubRepository string

@description('GitHub environment that the token must name.')
param githubEnvironment string

resource appIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: appIdentityName
  location: location
  tags: tags
}

resource deployIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: deployIdentityName
  location: location
  tags: tags
}

// The subject names the environment, so that its approvals and branch rules at GitHub guard the deployment.
resource github 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = if (!empty(githubRepository)) {
  parent: deployIdentity
  name: 'github-${githubEnvironment}'
  properties: {
    issuer: 'https://token.actions.githubusercontent.com'
    subject: 'repo:${githubRepository}:environment:${githubEnvironment}'
    audiences: ['api://AzureADTokenExchange']
  }
}

output appIdentityId string = appIdentity.id
output appIdentityName string = appIdentity.name
output appPrincipalId string = appIdentity.properties.principalId
output appClientId string = appIdentity.properties.clientId
output deployIdentityName string = deployIdentity.name
output deployPrincipalId string = deployIdentity.properties.principalId
output deployClientId string = deployIdentity.properties.clientId
