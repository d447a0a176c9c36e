{{/* The name of everything that is the gate's; native policies have names of their own. */}}
{{- define "coaming.name" -}}coaming-gate{{- end }}

{{/* The namespace is the one that policies, exceptions and the gate itself leave out: it has one name in every cluster. */}}
{{- define "coaming.namespace" -}}
{{- if and (ne .Release.Namespace "coaming-system") (not .Values.namespace.create) (lookup "v1" "Namespace" "" "kube-system") -}}
{{- fail "the namespace is to be coaming-system: --namespace coaming-system --create-namespace" -}}
{{- end -}}
coaming-system
{{- end }}

{{- define "coaming.selector" -}}
app.kubernetes.io/name: coaming-gate
app.kubernetes.io/component: gate
{{- end }}

{{- define "coaming.labels" -}}
{{ include "coaming.selector" . }}
app.kubernetes.io/part-of: coaming
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The image: REPOSITORY[:TAG]@DIGEST. A tag alone only where it is allowed; the digest of zeros never in a cluster. */}}
{{- define "coaming.image" -}}
{{- $i := .Values.image -}}
{{- $live := lookup "v1" "Namespace" "" "kube-system" -}}
{{- $none := "sha256:0000000000000000000000000000000000000000000000000000000000000000" -}}
{{- if and (eq (toString $i.allowTag) "true") $i.tag (or (not $i.digest) (eq $i.digest $none)) -}}
{{- printf "%s:%s" $i.repository $i.tag -}}
{{- else -}}
{{- if not (regexMatch "^sha256:[0-9a-f]{64}$" (toString $i.digest)) -}}
{{- fail "image.digest is to be sha256: and 64 hexadecimal digits; a tag alone only with image.allowTag" -}}
{{- end -}}
{{- if and $live (eq $i.digest $none) -}}
{{- fail "image.digest names no image: set it to the digest of the image of this release" -}}
{{- end -}}
{{- printf "%s%s@%s" $i.repository (empty $i.tag | ternary "" (printf ":%s" $i.tag)) $i.digest -}}
{{- end -}}
{{- end }}

{{/* The namespaces that no webhook is asked about, as a JSON list: those that are named, and then those of globs. */}}
{{- define "coaming.exclusions" -}}
{{- $spec := .Values.plan.spec | default dict -}}
{{- concat (list "kube-system" "kube-public" "kube-node-lease" "coaming-system") ($spec.excludeNamespaces | default list) (.Values.webhooks.excludeNamespaces | default list) | uniq | sortAlpha | toJson -}}
{{- end }}
{{- define "coaming.excluded" -}}
{{- $names := list -}}
{{- range include "coaming.exclusions" . | fromJsonArray }}{{ if not (contains "*" .) }}{{ $names = append $names . }}{{ end }}{{ end -}}
{{- $names | toJson -}}
{{- end }}
{{/* A regular expression for the globs, empty where there are none: a selector takes names alone. */}}
{{- define "coaming.excludedGlobs" -}}
{{- $globs := list -}}
{{- range include "coaming.exclusions" . | fromJsonArray }}{{ if contains "*" . }}{{ $globs = append $globs (regexQuoteMeta . | replace "\\*" ".*") }}{{ end }}{{ end -}}
{{- if $globs }}{{ printf "^(%s)$" (join "|" $globs) }}{{ end -}}
{{- end }}
