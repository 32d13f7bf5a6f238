metadata description = 'Administrator of the database server. Deployed last and alone, once the server is Ready (infra/local/deployment).'

// Together with other changes the server answers AadAuthOperationCannotBePerformedWhenServerIsNotAccessible or
// ServerBusy, on later runs too: https://github.com/Azure/azure-postgresql/issues/127 (2025-01-02).

param serverName string

@description('Object id of the person, group or identity.')
param principalId string

@description('Display name; it is the name of the database role.')
param principalName string

@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string

param tenantId string = tenant().tenantId

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' existing = {
  name: serverName
}

resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2025-08-01' = {
  parent: server
  name: principalId
  properties: {
    principalName: principalName
    principalType: principalType
    tenantId: tenantId
  }
}
