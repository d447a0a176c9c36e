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
      expression: {{ printf "!(request.namespace in %s)" (include "coaming.excluded" .root) | squote }}
    - name: not-the-gate
      expression: {{ printf "request.userInfo.username != \"system:serviceaccount:%s:coaming-gate\"" (include "coaming.namespace" .root) | squote }}
    # A node shows the API server the pods that it runs of itself; refusing them changes nothing that runs.
    - name: not-mirror-pods
      expression: '!("system:nodes" in request.userInfo.groups && request.resource.resource == "pods" && request.operation == "CREATE")'
    # What is being deleted is let go: finalizers could not be taken off it otherwise.
    - name: not-being-deleted
      expression: '!has(object.metadata.deletionTimestamp)'
    {{- with .condition }}
    - name: namespaces-that-fail-closed
      expression: {{ . | squote }}
    {{- end }}
  rules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], scope: Namespaced, resources: [pods, pods/ephemeralcontainers, pods/resize, podtemplates, replicationcontrollers]}
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], scope: Namespaced, resources: [deployments, replicasets, statefulsets, daemonsets]}
    - {apiGroups: [batch], apiVersions: [v1], operations: [CREATE, UPDATE], scope: Namespaced, resources: [jobs, cronjobs]}
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
