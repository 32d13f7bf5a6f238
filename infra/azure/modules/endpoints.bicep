metadata description = 'Private endpoints of everything the app stores in, with their DNS zones.'

param location string
param tags object
param networkId string
param subnetId string
param hostStorageId string
param dataStorageId string
param vaultId string
param databaseId string

@description('Empty: the Durable backend is the host storage account.')
param schedulerId string

var blobZone = 'privatelink.blob.${environment().suffixes.storage}'
var queueZone = 'privatelink.queue.${environment().suffixes.storage}'
var tableZone = 'privatelink.table.${environment().suffixes.storage}'
var vaultZone = 'privatelink.vaultcore.azure.net'
var databaseZone = 'privatelink.postgres.database.azure.com'
var schedulerZone = 'privatelink.durabletask.io'

var always = [
  { name: 'host-blob', resourceId: hostStorageId, part: 'blob', zone: blobZone }
  { name: 'host-queue', resourceId: hostStorageId, part: 'queue', zone: queueZone }
  { name: 'host-table', resourceId: hostStorageId, part: 'table', zone: tableZone }
  { name: 'data-blob', resourceId: dataStorageId, part: 'blob', zone: blobZone }
  { name: 'vault', resourceId: vaultId, part: 'vault', zone: vaultZone }
  { name: 'database', resourceId: databaseId, part: 'postgresqlServer', zone: databaseZone }
]
var ofScheduler = [
  { name: 'scheduler', resourceId: schedulerId, part: 'scheduler', zone: schedulerZone }
]
var wanted = empty(schedulerId) ? always : concat(always, ofScheduler)
var zoneNames = empty(schedulerId)
  ? [blobZone, queueZone, tableZone, vaultZone, databaseZone]
  : [blobZone, queueZone, tableZone, vaultZone, databaseZone, schedulerZone]

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zoneNames: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in zoneNames: {
    parent: zones[index]
    name: 'network'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: networkId
      }
    }
  }
]

// One at a time: two endpoints of one storage account or server conflict when they are made together.
@batchSize(1)
resource endpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [
  for each in wanted: {
    name: 'pe-${each.name}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: each.name
          properties: {
            privateLinkServiceId: each.resourceId
            groupIds: [each.part]
          }
        }
      ]
    }
  }
]

@batchSize(1)
resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [
  for (each, index) in wanted: {
    parent: endpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: each.name
          properties: {
            privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', each.zone)
          }
        }
      ]
    }
    dependsOn: [links]
  }
]
