// Package generate makes up clusters for benchmarks. Objects writes many objects with the mix of kinds,
// the sizes and the share of faults of real repositories; a Cluster has the shape of a large cluster, in
// files and as a snapshot. The names are made up, and the same seed and size give the same bytes.
package generate

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// perFile is how many objects stand in one file.
const perFile = 12

// Objects writes n objects in files of a dozen below dir.
func Objects(dir string, n int) error {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for at := 0; at < n; at += perFile {
		folder := filepath.Join(dir, fmt.Sprintf("team-%03d", at/perFile%200))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		file, err := os.Create(filepath.Join(folder, fmt.Sprintf("app-%06d.yaml", at)))
		if err != nil {
			return fmt.Errorf("make file: %w", err)
		}
		w := bufio.NewWriter(file)
		for i := at; i < min(at+perFile, n); i++ {
			object(w, r, i)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("write objects: %w", err)
		}
		if err := file.Close(); err != nil {
			return fmt.Errorf("write objects: %w", err)
		}
	}
	return nil
}

// object writes one object; of twelve, four carry pods.
func object(w *bufio.Writer, r *rand.Rand, i int) {
	name, namespace := fmt.Sprintf("svc-%06d", i), fmt.Sprintf("team-%03d", i/perFile%200)
	fmt.Fprint(w, "---\n")
	switch i % perFile {
	case 0, 1, 2:
		fmt.Fprintf(w, "apiVersion: apps/v1\nkind: Deployment\n")
		meta(w, name, namespace)
		fmt.Fprintf(w, "spec:\n  replicas: %d\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: %s\n  template:\n", 1+r.IntN(4), name)
		template(w, r, name, "    ")
	case 3:
		fmt.Fprintf(w, "apiVersion: batch/v1\nkind: CronJob\n")
		meta(w, name, namespace)
		fmt.Fprintf(w, "spec:\n  schedule: \"*/15 * * * *\"\n  concurrencyPolicy: Forbid\n  jobTemplate:\n    spec:\n      backoffLimit: 2\n      template:\n")
		template(w, r, name, "        ")
	case 4, 5:
		fmt.Fprintf(w, "apiVersion: v1\nkind: Service\n")
		meta(w, name, namespace)
		fmt.Fprintf(w, "spec:\n  type: ClusterIP\n  ports:\n    - name: http\n      port: 80\n      targetPort: http\n      protocol: TCP\n  selector:\n    app.kubernetes.io/name: svc-%06d\n", i-4)
	case 6:
		fmt.Fprintf(w, "apiVersion: v1\nkind: ConfigMap\n")
		meta(w, name, namespace)
		fmt.Fprint(w, "data:\n  application.properties: |\n")
		for n := range 12 + r.IntN(20) {
			fmt.Fprintf(w, "    server.feature.%d.enabled=%t\n", n, r.IntN(2) == 0)
		}
	case 7:
		fmt.Fprintf(w, "apiVersion: v1\nkind: ServiceAccount\n")
		meta(w, name, namespace)
		fmt.Fprint(w, "automountServiceAccountToken: false\n")
	case 8:
		fmt.Fprintf(w, "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n")
		meta(w, name, namespace)
		fmt.Fprint(w, "rules:\n- apiGroups: [\"\"]\n  resources: [\"configmaps\", \"pods\"]\n  verbs: [\"get\", \"list\", \"watch\"]\n- apiGroups:\n  - apps\n  resources:\n  - deployments\n  verbs:\n  - get\n")
	case 9:
		fmt.Fprintf(w, "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n")
		meta(w, name, namespace)
		fmt.Fprintf(w, "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: svc-%06d\nsubjects:\n- kind: ServiceAccount\n  name: svc-%06d\n  namespace: %s\n", i-1, i-2, namespace)
	case 10:
		fmt.Fprintf(w, "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n")
		meta(w, name, namespace)
		fmt.Fprintf(w, "spec:\n  podSelector:\n    matchLabels:\n      app.kubernetes.io/name: svc-%06d\n  policyTypes: [Ingress]\n  ingress:\n    - from:\n        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: %s\n      ports:\n        - port: 8080\n          protocol: TCP\n", i-10, namespace)
	case 11:
		fmt.Fprintf(w, "apiVersion: networking.k8s.io/v1\nkind: Ingress\n")
		meta(w, name, namespace)
		fmt.Fprintf(w, "spec:\n  ingressClassName: nginx\n  tls:\n    - hosts:\n        - %s.example.com\n      secretName: %s-tls\n  rules:\n    - host: %s.example.com\n      http:\n        paths:\n          - path: /\n            pathType: Prefix\n            backend:\n              service:\n                name: svc-%06d\n                port:\n                  name: http\n", name, name, name, i-7)
	}
}

func meta(w *bufio.Writer, name, namespace string) {
	fmt.Fprintf(w, "metadata:\n  name: %s\n  namespace: %s\n  labels:\n    app.kubernetes.io/name: %s\n    app.kubernetes.io/part-of: shop\n    app.kubernetes.io/managed-by: Helm\n  annotations:\n    example.com/owner: \"team@example.com\"\n    example.com/description: The service that answers for %s\n", name, namespace, name, name)
}

// template writes a pod template of one to three containers, half of them hardened.
func template(w *bufio.Writer, r *rand.Rand, name, in string) {
	fmt.Fprintf(w, "%smetadata:\n%s  labels:\n%s    app.kubernetes.io/name: %s\n%sspec:\n%s  serviceAccountName: %s\n", in, in, in, name, in, in, name)
	hardened := r.IntN(2) == 0
	if hardened {
		fmt.Fprintf(w, "%s  automountServiceAccountToken: false\n%s  securityContext:\n%s    runAsNonRoot: true\n%s    runAsUser: 10001\n%s    seccompProfile:\n%s      type: RuntimeDefault\n", in, in, in, in, in, in)
	}
	fmt.Fprintf(w, "%s  containers:\n", in)
	for c := range 1 + r.IntN(3) {
		fmt.Fprintf(w, "%s  - name: c%d\n%s    image: registry.example.com/shop/%s:1.%d.%d\n%s    imagePullPolicy: IfNotPresent\n", in, c, in, name, r.IntN(20), r.IntN(20), in)
		fmt.Fprintf(w, "%s    args: [\"--listen=:8080\", \"--log-level=info\"]\n%s    ports:\n%s    - name: http\n%s      containerPort: 8080\n%s    env:\n", in, in, in, in, in)
		for e := range 2 + r.IntN(6) {
			fmt.Fprintf(w, "%s    - name: SETTING_%d\n%s      value: \"%d\"\n", in, e, in, r.IntN(1000))
		}
		fmt.Fprintf(w, "%s    resources:\n%s      requests:\n%s        cpu: 100m\n%s        memory: 128Mi\n%s      limits:\n%s        memory: 256Mi\n", in, in, in, in, in, in)
		fmt.Fprintf(w, "%s    readinessProbe:\n%s      httpGet:\n%s        path: /healthz\n%s        port: http\n%s      periodSeconds: 10\n", in, in, in, in, in)
		if hardened {
			fmt.Fprintf(w, "%s    securityContext:\n%s      allowPrivilegeEscalation: false\n%s      readOnlyRootFilesystem: true\n%s      capabilities:\n%s        drop: [\"ALL\"]\n", in, in, in, in, in)
		} else if r.IntN(10) == 0 {
			fmt.Fprintf(w, "%s    securityContext:\n%s      privileged: true\n", in, in)
		}
	}
}
