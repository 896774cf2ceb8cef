{{/* The operator's settings as variables: what the chart decides first, then `settings`; then other variables. */}}
{{- define "operator.environment" -}}
{{- if .Values.progress.enabled -}}
- name: TRAININGRUN_OPERATOR_PROGRESS_URL
  value: https://{{ include "operator.progressHost" . }}
- name: TRAININGRUN_OPERATOR_PROGRESS_CERTIFICATE
  value: /etc/trainingrun/certificate/tls.crt
- name: TRAININGRUN_OPERATOR_PROGRESS_KEY
  value: /etc/trainingrun/certificate/tls.key
- name: TRAININGRUN_OPERATOR_PROGRESS_CA
  value: /etc/trainingrun/certificate/ca.crt
{{ end -}}
{{- if .Values.fullnameOverride -}}
- name: TRAININGRUN_OPERATOR_LEASE_NAME
  value: {{ .Values.fullnameOverride }}
{{ end -}}
{{- if .Values.namespaces -}}
- name: TRAININGRUN_OPERATOR_NAMESPACES
  value: {{ join "," .Values.namespaces | quote }}
{{ end -}}
{{- range $setting, $value := .Values.settings -}}
- name: TRAININGRUN_OPERATOR_{{ $setting | snakecase | upper }}
  {{- if kindIs "float64" $value }}
  value: {{ int $value | quote }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{ end -}}
{{- with .Values.extraEnv -}}
{{ toYaml . }}
{{ end -}}
{{- end }}
