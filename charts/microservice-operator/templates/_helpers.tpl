{{/* Cut at 63 characters, the limit of a label's value. */}}
{{- define "operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name alone where it says what this is, as `helm install microservice-operator …` does. Cut at 55
characters: the Service's `-metrics` must still fit into 63. */}}
{{- define "operator.fullname" -}}
{{- $name := include "operator.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 55 | trimSuffix "-" }}
{{- end }}

{{- define "operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "operator.serviceAccountName" -}}
{{- default (ternary (include "operator.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "operator.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* What selects the operator's pods. A Deployment's selector cannot change, so nothing else belongs here. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/name: {{ include "operator.name" . }}
{{- end }}

{{/* The operator takes everything labelled `managed-by: microservice-operator` for a child, so that value is not for here. */}}
{{- define "operator.labels" -}}
{{- $own := dict "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/version" .Chart.AppVersion
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") }}
{{- merge (include "operator.selector" . | fromYaml) $own .Values.commonLabels | toYaml }}
{{- end }}

{{/* Labels of the pods. The chart's version is left out: it would replace the pods where nothing changed for them. */}}
{{- define "operator.podLabels" -}}
{{- merge (include "operator.selector" . | fromYaml) .Values.podLabels .Values.commonLabels | toYaml }}
{{- end }}

{{/* `metadata` of a namespaced object; call with (list $ suffix). */}}
{{- define "operator.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "operator.fullname" $root }}{{ index . 1 }}
namespace: {{ include "operator.namespace" $root }}
labels:
  {{- include "operator.labels" $root | nindent 2 }}
{{- end }}

{{/* The operator's account as a subject of a binding. */}}
{{- define "operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "operator.serviceAccountName" . }}
  namespace: {{ include "operator.namespace" . }}
{{- end }}

{{/* The operator's rules, with those of the values. */}}
{{- define "operator.rules" -}}
{{ .Files.Get "files/rules.yaml" | trim }}
{{- if .Values.rbac.finalizers }}
# OwnerReferencesPermissionEnforcement asks for this before it admits `blockOwnerDeletion` in an owner reference.
- apiGroups: [microservices.dev]
  resources: [microservices/finalizers]
  verbs: [update]
{{- end }}
{{- end }}

{{/* "true" where a ServiceMonitor is rendered. */}}
{{- define "operator.serviceMonitor" -}}
{{- with .Values.metrics.serviceMonitor }}
{{- $served := $.Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}
{{- if and .enabled (or $served (ne .renderMode "skipIfMissing")) }}true{{ end }}
{{- end }}
{{- end }}

{{/* The operator's command line. */}}
{{- define "operator.args" -}}
- run
{{- with .Values.watchNamespaces }}
- --namespaces={{ join "," . }}
{{- end }}
- --concurrency={{ .Values.concurrency }}
{{- if .Values.leaderElection.enabled }}
- --lease-name={{ include "operator.fullname" . }}
- --lease-duration={{ .Values.leaderElection.leaseDuration }}
{{- else }}
- --leader-elect=false
{{- end }}
- --health-address=:{{ .Values.healthPort }}
- --metrics-address={{ if .Values.metrics.enabled }}:{{ .Values.metrics.port }}{{ else }}0{{ end }}
- --log-level={{ .Values.logging.level }}
- --log-format={{ .Values.logging.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}
