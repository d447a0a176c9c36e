{{/* The webhook configurations: applied as they are, and told to the gate, which watches over them. */}}
{{- define "coaming.webhook" }}
- name: {{ .name }}
  clientConfig:
    service: {name: {{ include "coaming.name" .root }}, namespace: {{ include "coaming.namespace" .root }}, port: 443, path: {{ .path }}}
    {{- include "coaming.bundle" .root | nindent 4 }}
  admissionReviewVersions: [v1]
  sideEffects: None
  matchPolicy: Equivalent
  failurePolicy: {{ .failure }}
  timeoutSeconds: {{ include "coaming.timeout" .root }}
  namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: NotIn
        values: {{ include "coaming.excluded" .root }}
  # Said again as conditions, which no label of a namespace changes.
  matchConditions:
    - name: not-excluded-namespaces
      expression: {{ printf "!(request.?namespace.orValue('') in %s)" (include "coaming.excluded" .root) | quote }}
    {{- with include "coaming.excludedGlobs" .root }}
    - name: not-excluded-globs
      expression: {{ printf "!request.?namespace.orValue('').matches(%s)" (toJson .) | quote }}
    {{- end }}
    - name: not-the-gate
      expression: {{ printf "request.userInfo.username != \"system:serviceaccount:%s:coaming-gate\"" (include "coaming.namespace" .root) | squote }}
    # A node shows the API server the pods that it runs of itself; refusing them changes nothing that runs.
    - name: not-mirror-pods
      expression: '!("system:nodes" in request.userInfo.groups && request.resource.resource == "pods" && request.operation == "CREATE")'
    # What Kubernetes' own controllers keep in namespaces beside workloads, such as the authority's ConfigMap, waits for nobody.
    - name: not-what-controllers-keep
      expression: '!request.userInfo.username.startsWith("system:") || request.userInfo.username.startsWith("system:serviceaccount:") && !request.userInfo.username.startsWith("system:serviceaccount:kube-system:") || request.resource.resource in ["pods", "podtemplates", "replicationcontrollers", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"]'
    # Finalizers and owners can be taken off whatever there is, and while nobody answers: garbage collection waits for it. That
    # an object is being deleted frees it of nothing else, for a finalizer keeps it in force. internal/policy has the same words.
    - name: more-than-garbage-collection-changes
      expression: |-
        oldObject == null || size(object) > 100 || size(object.metadata) > 100 ||
        !(dyn(object).all(k, k == "metadata" || k in dyn(oldObject) && dyn(object)[k] == dyn(oldObject)[k]) &&
        dyn(oldObject).all(k, k in dyn(object)) &&
        dyn(object).metadata.all(k, k in ["finalizers", "ownerReferences", "managedFields", "resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"] || k in dyn(oldObject).metadata && dyn(object).metadata[k] == dyn(oldObject).metadata[k]) &&
        dyn(oldObject).metadata.all(k, k in ["finalizers", "ownerReferences", "managedFields", "resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"] || k in dyn(object).metadata))
    # Whoever writes a status may write labels and annotations with it; a status itself is the word of who looks. internal/policy has the same words.
    - name: more-than-a-status
      expression: |-
        !(request.?subResource.orValue("") in ["status", "finalize", "approval"]) ||
        object.metadata.?labels != oldObject.metadata.?labels || object.metadata.?annotations != oldObject.metadata.?annotations
    {{- with .condition }}
    - name: namespaces-that-fail-closed
      expression: {{ . | quote }}
    {{- end }}
  rules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], scope: Namespaced, resources: [pods, pods/ephemeralcontainers, pods/resize, podtemplates, replicationcontrollers]}
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], scope: Namespaced, resources: [deployments, replicasets, statefulsets, daemonsets]}
    - {apiGroups: [batch], apiVersions: [v1], operations: [CREATE, UPDATE], scope: Namespaced, resources: [jobs, cronjobs]}
    {{- if ne .path "/mutate" }}
    {{- range .root.Values.webhooks.rules }}
    - {apiGroups: {{ toJson .apiGroups }}, apiVersions: ["*"], operations: [CREATE, UPDATE], scope: Namespaced, resources: {{ toJson .resources }}}
    {{- end }}
    {{- end }}
{{- end }}
{{- define "coaming.webhook.metadata" }}
metadata:
  name: {{ include "coaming.name" . }}
  labels:
    {{- include "coaming.labels" . | nindent 4 }}
  {{- if .Values.certificates.certManager.enabled }}
  annotations:
    cert-manager.io/inject-ca-from: {{ printf "%s/coaming-gate-tls" (include "coaming.namespace" .) }}
  {{- end }}
{{- end }}
{{- define "coaming.webhooks" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
{{- include "coaming.webhook.metadata" . }}
webhooks:
  {{- include "coaming.webhook" (dict "root" . "name" "ignore.validate.coaming.dev" "path" "/validate/ignore" "failure" "Ignore") | indent 2 }}
  {{- if include "coaming.fails" . }}
  {{- include "coaming.webhook" (dict "root" . "name" "fail.validate.coaming.dev" "path" "/validate/fail" "failure" "Fail" "condition" (include "coaming.failing" .)) | indent 2 }}
  {{- end }}
{{- if include "coaming.mutates" . }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
{{- include "coaming.webhook.metadata" . }}
webhooks:
  {{- include "coaming.webhook" (dict "root" . "name" "mutate.coaming.dev" "path" "/mutate" "failure" "Ignore") | indent 2 }}
    reinvocationPolicy: IfNeeded
{{- end }}
{{- end }}
