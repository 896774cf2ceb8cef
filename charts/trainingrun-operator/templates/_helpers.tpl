{{- define "operator.name" -}}
{{ .Values.fullnameOverride | default "trainingrun-operator" }}
{{- end }}

{{- define "operator.appName" -}}
{{ .Values.nameOverride | default (include "operator.name" .) }}
{{- end }}

{{/* Name or release tell operators apart, so that no selector finds the pods of another one in the same namespace. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ include "operator.appName" . }}
{{- if .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
app.kubernetes.io/component: manager
{{- end }}

{{/* Call with (list context component). */}}
{{- define "operator.labels" -}}
{{- with index . 0 -}}
app.kubernetes.io/name: {{ include "operator.appName" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "operator.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "operator.progressHost" -}}
{{ include "operator.name" . }}-progress.{{ .Release.Namespace }}.svc
{{- end }}

{{/* Whether the operator makes the progress endpoint's certificate itself. */}}
{{- define "operator.makesCertificate" -}}
{{ if and .Values.progress.enabled (not .Values.progress.existingSecret) }}yes{{ end }}
{{- end }}

{{- define "operator.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "operator.name" .) }}
{{- end }}

{{/* Call with (list context kind suffix): the subject and the role of a binding. */}}
{{- define "operator.binds" -}}
{{- $context := index . 0 -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ include "operator.name" $context }}{{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "operator.serviceAccount" $context }}
    namespace: {{ $context.Release.Namespace }}
{{- end }}

{{/* The pods of all runs, whichever operator serves them: the label is the product's, not the release's. */}}
{{- define "operator.runPods" -}}
matchLabels:
  app.kubernetes.io/managed-by: trainingrun-operator
matchExpressions:
  - {key: trainingrun.dev/run-uid, operator: Exists}
{{- end }}

{{/* Call with the values of a monitor: how often it is read, where that is not left to the Prometheus. */}}
{{- define "operator.scraping" -}}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- end }}
