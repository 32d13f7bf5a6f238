metadata description = 'One page for the person on call: runs, failures, throttling, answers of the API.'

param location string
param tags object
param insightsId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insightsId, 'admin-assistant')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Admin Assistant'
    category: 'workbook'
    sourceId: insightsId
    serializedData: string(loadJsonContent('workbook.json'))
  }
}
