metadata description = 'Durable Task Scheduler and its task hub, guarded by identity, closed to the internet for a firm.'

param name string
param location string
param tags object

@allowed(['Consumption', 'Dedicated'])
param skuName string

@description('Capacity units of Dedicated; three for high availability. 0 for Consumption.')
param skuCapacity int

param publicAccess bool
param appPrincipalId string
param deployPrincipalId string

var durableTaskDataContributor = '0ad04412-c4d5-4796-b79c-f76d14c8d402'

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: skuName == 'Dedicated'
      ? {
          name: 'Dedicated'
          capacity: skuCapacity
        }
      : {
          name: 'Consumption'
        }
    // An empty list denies everybody, private endpoints excepted.
    ipAllowlist: publicAccess ? ['0.0.0.0/0'] : []
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }
}

resource taskHub 'Microsoft.DurableTask/schedulers/taskHubs@2026-02-01' = {
  parent: scheduler
  name: 'AdminAssistant'
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in [appPrincipalId, deployPrincipalId]: {
    name: guid(taskHub.id, principalId, durableTaskDataContributor)
    scope: taskHub
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', durableTaskDataContributor)
    }
  }
]

output schedulerId string = scheduler.id
output endpoint string = scheduler.properties.endpoint
output taskHubName string = taskHub.name
