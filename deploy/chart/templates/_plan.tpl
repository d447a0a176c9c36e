{{/* What the plan asks of webhooks. The gate reads the same plan and decides by it; here it is decided what it is asked. */}}

{{/* "true" where some entry of the plan fails closed. */}}
{{- define "coaming.fails" -}}
{{- $spec := .Values.plan.spec | default dict -}}
{{- $fails := eq ($spec.onError | default "ignore") "fail" -}}
{{- range concat ($spec.rules | default list) ($spec.images | default list) -}}
{{- if eq (.onError | default "") "fail" }}{{ $fails = true }}{{ end -}}
{{- end -}}
{{- if $fails }}true{{ end -}}
{{- end }}

{{/* A CEL condition for the namespaces that may fail closed; empty where any may. */}}
{{- define "coaming.failing" -}}
{{- $spec := .Values.plan.spec | default dict -}}
{{- $any := eq ($spec.onError | default "ignore") "fail" -}}
{{- $patterns := list -}}
{{- range concat ($spec.rules | default list) ($spec.images | default list) -}}
{{- if eq (.onError | default "") "fail" -}}
{{- if not .namespaces }}{{ $any = true }}{{ end -}}
{{- range .namespaces -}}
{{- if not (regexMatch "^[a-z0-9*-]+$" .) }}{{ $any = true }}{{ end -}}
{{- $patterns = append $patterns (. | replace "*" ".*") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $any -}}
{{- printf "request.namespace.matches(%s)" (printf "^(%s)$" ($patterns | uniq | join "|") | toJson) -}}
{{- end -}}
{{- end }}

{{/* "true" where the gate looks into images, which are fetched from registries. */}}
{{- define "coaming.images" -}}
{{- $spec := .Values.plan.spec | default dict -}}
{{- if or (eq .Values.images.enabled "always") (and $spec.images (eq .Values.images.enabled "auto")) }}true{{ end -}}
{{- end }}

{{/* "true" where objects are changed by the webhook: pinned images, and mutations, unless it is known that policies do them all. */}}
{{- define "coaming.mutates" -}}
{{- $spec := .Values.plan.spec | default dict -}}
{{- $mutates := false -}}
{{- range $spec.images }}{{ if .pin }}{{ $mutates = true }}{{ end }}{{ end -}}
{{- $m := $spec.mutations | default dict -}}
{{- if or $m.defaults $m.resources $m.sidecars }}{{ $mutates = true }}{{ end -}}
{{- if or (eq .Values.webhooks.mutating "always") (and $mutates (eq .Values.webhooks.mutating "auto")) }}true{{ end -}}
{{- end }}

{{- define "coaming.timeout" -}}
{{- $spec := .Values.plan.spec | default dict -}}
{{- $t := int ($spec.timeoutSeconds | default 2) -}}
{{- if or (lt $t 1) (gt $t 3) }}{{ fail (printf "plan.spec.timeoutSeconds is %d: from 1 to 3, for requests to the API server wait" $t) }}{{ end -}}
{{- $t -}}
{{- end }}
