{{/*
The authority of the gate's certificates, as JSON {certificate, key, bundle} in PEM: that of the cluster's Secret, or a new
one. It is decided once for all templates, for the Secret and the webhooks must agree. A rendering that no cluster
answers has none: a key belongs in no manifest. Whoever applies such manifests makes the Secret (tls.crt, tls.key) and
names certificates.bundle, as 'coaming install' does, or has cert-manager.
*/}}
{{- define "coaming.authority" -}}
{{- $c := .Values.certificates -}}
{{- if not (hasKey $c "decided") -}}
{{- $decided := dict "bundle" ($c.bundle | default "") -}}
{{- if and (not $c.bundle) (lookup "v1" "Namespace" "" "kube-system") -}}
{{- $there := lookup "v1" "Secret" (include "coaming.namespace" .) "coaming-gate-ca" -}}
{{- if and $there $there.data (index $there.data "tls.key") -}}
{{- $certificate := index $there.data "tls.crt" | b64dec -}}
{{- $decided = dict "certificate" $certificate "key" (index $there.data "tls.key" | b64dec) "bundle" (index $there.data "ca.crt" | default "" | b64dec | default $certificate) -}}
{{- else -}}
{{- $made := genCA "coaming-gate-ca" 3650 -}}
{{- $decided = dict "certificate" $made.Cert "key" $made.Key "bundle" $made.Cert -}}
{{- end -}}
{{- end -}}
{{- $_ := set $c "decided" $decided -}}
{{- end -}}
{{- $c.decided | toJson -}}
{{- end }}

{{/* The caBundle of a webhook; with cert-manager nothing, for it writes it itself. */}}
{{- define "coaming.bundle" -}}
{{- if not .Values.certificates.certManager.enabled -}}
{{- with (include "coaming.authority" . | fromJson).bundle -}}
caBundle: {{ b64enc . }}
{{- end -}}
{{- end -}}
{{- end }}
