using '../main.bicep'

param environmentName = 'staging'
param size = 'personal'
param azdEnvironmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'admin-assistant-staging')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param apiClientId = readEnvironmentVariable('ADMIN_ASSISTANT_CLIENT_ID', '')
param apiAudience = readEnvironmentVariable('ADMIN_ASSISTANT_API_AUDIENCE', readEnvironmentVariable('ADMIN_ASSISTANT_CLIENT_ID', ''))
param alertEmails = split(readEnvironmentVariable('ADMIN_ASSISTANT_ALERT_EMAILS', ''), ',')
param defaultTimeZone = readEnvironmentVariable('ADMIN_ASSISTANT_DEFAULT_TIME_ZONE', 'UTC')
param nightlyAt = readEnvironmentVariable('ADMIN_ASSISTANT_NIGHTLY_AT', '02:00')
param mailSender = readEnvironmentVariable('ADMIN_ASSISTANT_MAIL_SENDER', '')
param corsOrigins = readEnvironmentVariable('ADMIN_ASSISTANT_CORS_ORIGINS', '')
param publicUrl = readEnvironmentVariable('ADMIN_ASSISTANT_PUBLIC_URL', '')
param durableBackend = readEnvironmentVariable('ADMIN_ASSISTANT_DURABLE_BACKEND', 'scheduler')
param siteUpdateStrategy = 'Recreate'
param githubRepository = readEnvironmentVariable('ADMIN_ASSISTANT_GITHUB_REPOSITORY', '')
param budgetAmount = int(readEnvironmentVariable('ADMIN_ASSISTANT_BUDGET', '0'))
param budgetStart = readEnvironmentVariable('ADMIN_ASSISTANT_BUDGET_START', '')
