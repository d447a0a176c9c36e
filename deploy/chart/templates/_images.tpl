{{/* What the gate looks into images with: its flags, volumes and mounts. */}}
{{- define "coaming.images.args" -}}
{{- $i := .Values.images -}}
- --images
- --store=/var/lib/coaming
- --image-workers={{ int $i.workers }}
- --image-queue={{ int $i.queue }}
- --image-memory-mib={{ int $i.memoryMiB }}
- --image-largest-gib={{ int $i.largestGiB }}
- --image-timeout={{ $i.timeout }}
- --tag-age={{ $i.tagAge }}
- --db=/var/lib/coaming-index/{{ $i.index.file }}
- --db-max-age={{ int $i.index.maxAgeDays }}
{{- range $i.registries }}
- {{ printf "--images-from-registry=%s" . | quote }}
{{- end }}
{{- range $i.platforms }}
- {{ printf "--platform=%s" . | quote }}
{{- end }}
{{- if $i.authSecret }}
- --auth-file=/etc/coaming-registry/config.json
{{- end }}
{{- if $i.registryConfig }}
- --registry-config=/etc/coaming-registries/registries.yaml
{{- end }}
{{- range $name := keys $i.vex | sortAlpha }}
- {{ printf "--vex=/etc/coaming-images/vex-%s" $name | quote }}
{{- end }}
{{- if $i.trust.policy }}
- --trust=/etc/coaming-trust/trust.yaml
{{- end }}
{{- end }}

{{/* "true" where an index is there, or is fetched. */}}
{{- define "coaming.index" -}}
{{- $x := .Values.images.index -}}
{{- if and (include "coaming.images" .) (or $x.volume $x.from) -}}
{{- if and $x.volume $x.from }}{{ fail "images.index: either the volume that holds it, or from, where it is fetched" }}{{ end -}}
{{- if and $x.from (not $x.key) }}{{ fail "images.index.key is to be the public key, in PEM, that must have signed what images.index.from names" }}{{ end -}}
{{- range $source, $_ := $x.volume -}}
{{- if not (has $source (list "configMap" "csi" "emptyDir" "ephemeral" "image" "persistentVolumeClaim" "projected" "secret")) -}}
{{- fail (printf "images.index.volume: Pod Security, restricted, takes no %s: name a persistentVolumeClaim, an image, or a csi volume" $source) -}}
{{- end -}}
{{- end -}}
true
{{- end -}}
{{- end }}

{{- define "coaming.images.mounts" -}}
{{- $i := .Values.images }}
{{- if $i.authSecret }}
- {name: registry, mountPath: /etc/coaming-registry, readOnly: true}
{{- end }}
{{- if $i.registryConfig }}
- {name: registries, mountPath: /etc/coaming-registries, readOnly: true}
{{- end }}
{{- if include "coaming.images.config" . }}
- {name: images, mountPath: /etc/coaming-images, readOnly: true}
{{- end }}
{{- if $i.trust.policy }}
- {name: trust, mountPath: /etc/coaming-trust, readOnly: true}
{{- end }}
{{- if include "coaming.index" . }}
- {name: index, mountPath: /var/lib/coaming-index, readOnly: true}
{{- end }}
{{- end }}

{{/* "true" where the ConfigMap coaming-images has something to hold. */}}
{{- define "coaming.images.config" -}}
{{- $i := .Values.images -}}
{{- if and (include "coaming.images" .) (or $i.vex $i.index.from) }}true{{ end -}}
{{- end }}

{{- define "coaming.images.volumes" -}}
{{- $i := .Values.images }}
{{- if $i.authSecret }}
- name: registry
  secret:
    secretName: {{ $i.authSecret }}
    defaultMode: 0440
    items:
      - {key: .dockerconfigjson, path: config.json}
{{- end }}
{{- if $i.registryConfig }}
- name: registries
  configMap:
    name: coaming-registries
    items:
      - {key: config, path: registries.yaml}
      {{- range $n, $name := keys $i.registryFiles | sortAlpha }}
      - {key: file-{{ $n }}, path: {{ $name | quote }}}
      {{- end }}
{{- end }}
{{- if include "coaming.images.config" . }}
- name: images
  configMap: {name: coaming-images}
{{- end }}
{{- if $i.trust.policy }}
- name: trust
  configMap:
    name: coaming-trust
    items:
      - {key: policy, path: trust.yaml}
      {{- range $n, $name := keys $i.trust.files | sortAlpha }}
      - {key: file-{{ $n }}, path: {{ $name | quote }}}
      {{- end }}
{{- end }}
{{- if include "coaming.index" . }}
- name: index
  {{- if $i.index.from }}
  emptyDir: {sizeLimit: {{ $i.index.size }}}
  {{- else }}
  {{- toYaml $i.index.volume | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}
