metadata description = 'The virtual network of a firm: one subnet for the app, one for private endpoints, one for a runner.'

param name string
param location string
param tags object

@description('A /22 that overlaps no network that is peered with this one.')
param addressPrefix string = '10.42.0.0/22'

resource runnerGroup 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'nsg-runner-${name}'
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

resource endpointGroup 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'nsg-endpoints-${name}'
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [addressPrefix]
    }
    subnets: [
      {
        name: 'functions'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 0)
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 1)
          networkSecurityGroup: {
            id: endpointGroup.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
      {
        name: 'runner'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 2)
          networkSecurityGroup: {
            id: runnerGroup.id
          }
        }
      }
    ]
  }
}

output networkId string = network.id
output functionSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'functions')
output endpointSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'endpoints')
output runnerSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'runner')
