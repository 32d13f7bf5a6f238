metadata description = 'Action group and alerts. Each name has its section in docs/runbook.md; a check compares them.'

param location string
param tags object
param environmentName string
param emails string[]
param insightsId string
param databaseId string
param maxConnections int

@description('Alerts about Graph subscriptions are off while none are made.')
param subscriptionsInUse bool

// The app writes one JSON object a line (shared/telemetry.py); the worker hands it on as the message of a trace.
var lines = 'traces | where message startswith "{" | extend line = parse_json(message) | extend what = tostring(line.message) '

var logAlerts = [
  {
    name: 'failed-runs'
    description: 'An archive run ended as failed.'
    query: '${lines}| where what == "archive run finished" and tostring(line.state) == "failed"'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    enabled: true
  }
  {
    name: 'late-jobs'
    description: 'Jobs are overdue by more than an hour.'
    query: '${lines}| where what == "work is late" and toint(line.overdue_jobs) > 0'
    severity: 2
    every: 'PT15M'
    window: 'PT30M'
    operator: 'GreaterThan'
    threshold: 0
    enabled: true
  }
  {
    name: 'run-failure-rate'
    description: 'More than a tenth of the runs of the last six hours failed or ended with errors.'
    query: '${lines}| where what == "archive run finished" | summarize total = count(), bad = countif(tostring(line.state) in ("failed", "completed_with_errors")) | where total >= 5 and bad * 10 > total'
    severity: 1
    every: 'PT1H'
    window: 'PT6H'
    operator: 'GreaterThan'
    threshold: 0
    enabled: true
  }
  {
    name: 'webhook-5xx'
    description: 'Notifications of Graph were answered with a server error.'
    query: '${lines}| where tostring(line.operation) has "webhook" and toint(line.status) >= 500'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    enabled: subscriptionsInUse
  }
  {
    name: 'webhook-latency'
    description: 'More than a tenth of the notifications of Graph took over 3 seconds; over 10 seconds Graph drops them.'
    query: '${lines}| where tostring(line.operation) has "webhook" | summarize total = count(), slow = countif(todouble(line.milliseconds) > 3000) | where total >= 10 and slow * 10 > total'
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    enabled: subscriptionsInUse
  }
  {
    name: 'no-live-subscription'
    description: 'No subscription was found alive for an hour.'
    query: '${lines}| where what == "graph subscriptions" and toint(line.live) > 0'
    severity: 1
    every: 'PT15M'
    window: 'PT1H'
    operator: 'LessThan'
    threshold: 1
    enabled: subscriptionsInUse
  }
  {
    name: 'subscription-expiry'
    description: 'A subscription expires within a day and was not renewed.'
    query: '${lines}| where what == "graph subscriptions" and toint(line.expiring) > 0'
    severity: 2
    every: 'PT1H'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
    enabled: subscriptionsInUse
  }
  {
    name: 'throttling'
    description: 'Graph throttled the app more than 200 times in 15 minutes.'
    query: 'traces | where message has "graph" and message has "429"'
    severity: 3
    every: 'PT15M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 200
    enabled: true
  }
  {
    name: 'durable-backlog'
    description: 'Queued runs wait for more than a quarter of an hour.'
    query: '${lines}| where what == "work is late" and toint(line.waiting_runs) > 0'
    severity: 2
    every: 'PT15M'
    window: 'PT30M'
    operator: 'GreaterThan'
    threshold: 0
    enabled: true
  }
  {
    name: 'signing-keys'
    description: 'The signing keys of Entra could not be read; sign-in fails when the kept ones are outdated.'
    query: 'traces | where message has "signing keys of tenant" and message has "cannot be read"'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 3
    enabled: true
  }
  {
    // Asked twice between 06:00 and 07:00 UTC, when every night must have ended; silent at other hours.
    name: 'no-nightly-run'
    description: 'By 06:00 UTC no run of the last 24 hours had completed.'
    query: '${lines}| where what == "archive run finished" and tostring(line.state) in ("completed", "completed_with_errors") | summarize done = count() | where done == 0 and hourofday(now()) == 6'
    severity: 1
    every: 'PT30M'
    window: 'P1D'
    operator: 'GreaterThan'
    threshold: 0
    enabled: environmentName != 'dev'
  }
]

var metricAlerts = [
  {
    name: 'database-cpu'
    description: 'The database used more than 85 % of its processors for a quarter of an hour.'
    metric: 'cpu_percent'
    aggregation: 'Average'
    threshold: 85
    severity: 2
  }
  {
    name: 'database-storage'
    description: 'More than 80 % of the storage of the database is used.'
    metric: 'storage_percent'
    aggregation: 'Maximum'
    threshold: 80
    severity: 1
  }
  {
    name: 'database-connections'
    description: 'More than four fifths of the connections of the database are used.'
    metric: 'active_connections'
    aggregation: 'Maximum'
    threshold: maxConnections * 4 / 5
    severity: 1
  }
]

resource onCall 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'on-call-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'on-call'
    enabled: true
    emailReceivers: [
      for (email, index) in emails: {
        name: 'mail-${index}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in logAlerts: {
    name: alert.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${alert.name} (${environmentName})'
      description: '${alert.description} Runbook: docs/runbook.md, ${alert.name}.'
      severity: alert.severity
      enabled: alert.enabled
      scopes: [insightsId]
      evaluationFrequency: alert.every
      windowSize: alert.window
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: alert.operator == 'LessThan' ? 'LessThan' : 'GreaterThan'
            threshold: alert.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      actions: {
        actionGroups: [onCall.id]
      }
    }
  }
]

resource metricRules 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for alert in metricAlerts: {
    name: alert.name
    location: 'global'
    tags: tags
    properties: {
      description: '${alert.description} Runbook: docs/runbook.md, ${alert.name}.'
      severity: alert.severity
      enabled: true
      scopes: [databaseId]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            name: alert.name
            criterionType: 'StaticThresholdCriterion'
            metricNamespace: 'Microsoft.DBforPostgreSQL/flexibleServers'
            metricName: alert.metric
            operator: 'GreaterThan'
            threshold: alert.threshold
            timeAggregation: alert.aggregation
          }
        ]
      }
      autoMitigate: true
      actions: [
        {
          actionGroupId: onCall.id
        }
      ]
    }
  }
]

output actionGroupId string = onCall.id
