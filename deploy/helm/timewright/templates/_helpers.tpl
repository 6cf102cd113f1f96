{{- define "timewright.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* At most 40 characters, so that suffixes fit into the 63 of a label and of a Service's name. */}}
{{- define "timewright.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "timewright.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "timewright.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "timewright.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end }}

{{- define "timewright.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "timewright.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "timewright.leaseName" -}}
{{- printf "%s-operator" (include "timewright.fullname" .) -}}
{{- end }}

{{- define "timewright.image" -}}
{{- $image := .Values.image -}}
{{- $name := ternary (printf "%s/%s" $image.registry $image.repository) $image.repository (ne $image.registry "") -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end }}

{{- define "timewright.runnerImage" -}}
{{- default (include "timewright.image" .) .Values.runner.image -}}
{{- end }}

{{- define "timewright.instanceLabels" -}}
app.kubernetes.io/name: {{ include "timewright.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "timewright.selectorLabels" -}}
{{ include "timewright.instanceLabels" . }}
app.kubernetes.io/component: operator
{{- end }}

{{/*
Labels and annotations of an object. Takes a dict: `root`, `component`, and optionally `labels` and `annotations` of its own.
*/}}
{{- define "timewright.metadata" -}}
labels:
  {{- $labels := dict
    "app.kubernetes.io/component" .component
    "app.kubernetes.io/version" .root.Chart.AppVersion
    "app.kubernetes.io/part-of" "timewright"
    "app.kubernetes.io/managed-by" .root.Release.Service
    "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") }}
  {{- toYaml (merge (dict) $labels (fromYaml (include "timewright.instanceLabels" .root)) (default dict .labels) .root.Values.commonLabels) | nindent 2 }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
What the operator may do to tasks and what they are made of, and nothing else. It may grant a daemon's Role only what it
holds itself; marked below is what it holds for that alone.
*/}}
{{- define "timewright.rules" -}}
# What it is told. Its own writes go to the status; `finalizers` lets it own objects where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [timewright.dev]
  resources: [scheduledtasks]
  verbs: [get, list, watch]
- apiGroups: [timewright.dev]
  resources: [scheduledtasks/status]
  verbs: [get, patch]
- apiGroups: [timewright.dev]
  resources: [scheduledtasks/finalizers]
  verbs: [update]
# Records. A TaskRun made by hand is given its label and owner, hence `patch`; its spec cannot be changed.
- apiGroups: [timewright.dev]
  resources: [taskruns]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [timewright.dev]
  resources: [taskruns/status]
  verbs: [get, patch]
# What tasks are made of. A run by hand is put into the CronJob's status, so that its concurrencyPolicy sees it.
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, watch, create, patch]
- apiGroups: [batch]
  resources: [cronjobs/status]
  verbs: [get, patch]
- apiGroups: [batch]
  resources: [cronjobs/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
# Daemons, and the Deployments of applications that keep running. The one that nobody needs any more is deleted.
- apiGroups: [timewright.dev]
  resources: [taskdaemons]
  verbs: [get, list, watch, create, delete]
- apiGroups: [timewright.dev]
  resources: [taskdaemons/status]
  verbs: [get, patch]
- apiGroups: [timewright.dev]
  resources: [taskdaemons/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, create, patch]
# A daemon's own Role. Without `escalate` and `bind`, it cannot give away more than is listed here.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, create, patch]
# Read to learn whether a daemon is gone; `create` and `update` are held for daemons alone.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update]
# How a run ended: exit code, termination message.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* "true" when the admission policy is to be installed. */}}
{{- define "timewright.scheduledAtPolicy" -}}
{{- $enabled := toString .Values.scheduledAtPolicy.enabled -}}
{{- if eq $enabled "auto" -}}
{{- .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
{{- else -}}
{{- $enabled -}}
{{- end -}}
{{- end }}
