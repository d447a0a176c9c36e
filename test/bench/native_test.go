package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coaming/coaming/test/apiserver"
)

// podOfRealSize is a pod as charts make them: hardened, so that no policy has anything to say, which is the common case.
const podOfRealSize = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"labels":{"app.kubernetes.io/name":"web","app.kubernetes.io/part-of":"shop","app.kubernetes.io/version":"1.4.2"},
"annotations":{"prometheus.io/scrape":"true","prometheus.io/port":"9090"}},"spec":{"automountServiceAccountToken":false,
"securityContext":{"runAsNonRoot":true,"runAsUser":10001,"runAsGroup":10001,"fsGroup":10001,"seccompProfile":{"type":"RuntimeDefault"}},
"initContainers":[{"name":"migrate","image":"registry.example.com/shop/web:1.4.2@sha256:%[2]s","command":["/app/migrate","--wait"],
"resources":{"requests":{"cpu":"50m","memory":"64Mi"},"limits":{"memory":"64Mi"}},"securityContext":{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}}}],
"containers":[{"name":"web","image":"registry.example.com/shop/web:1.4.2@sha256:%[2]s","ports":[{"name":"http","containerPort":8080}],
"env":[{"name":"LOG_LEVEL","value":"info"},{"name":"DATABASE_HOST","value":"orders-db"},{"name":"POD_IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}],
"resources":{"requests":{"cpu":"100m","memory":"128Mi","ephemeral-storage":"64Mi"},"limits":{"memory":"256Mi","ephemeral-storage":"256Mi"}},
"readinessProbe":{"httpGet":{"path":"/ready","port":8080}},"livenessProbe":{"httpGet":{"path":"/live","port":8080}},
"volumeMounts":[{"name":"tmp","mountPath":"/tmp"},{"name":"settings","mountPath":"/etc/web","readOnly":true}],
"securityContext":{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}}},
{"name":"metrics","image":"registry.example.com/shop/exporter:0.9.1@sha256:%[2]s","ports":[{"name":"metrics","containerPort":9090}],
"resources":{"requests":{"cpu":"10m","memory":"32Mi","ephemeral-storage":"16Mi"},"limits":{"memory":"64Mi","ephemeral-storage":"64Mi"}},
"securityContext":{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}}}],
"volumes":[{"name":"tmp","emptyDir":{"sizeLimit":"64Mi"}},{"name":"settings","configMap":{"name":"web-settings"}}]}}`

// BenchmarkNativePolicies creates 1,000 pods each in a namespace where the whole catalogue is enforced by the policies that a plan gives, in one where it is
// by one policy a rule, and in one where nothing is, in turn in all three, one at a time through a real API server. It reports the medians, what is added,
// and how many policies there are.
func BenchmarkNativePolicies(b *testing.B) {
	binary := os.Getenv("COAMING_BIN")
	if binary == "" {
		b.Skip("COAMING_BIN names no built coaming (make bench-gate builds one)")
	}
	pods := 1000
	if given, err := strconv.Atoi(os.Getenv("COAMING_BENCH_PODS")); err == nil {
		pods = given
	}
	s := apiserver.Start(b, "--no-controller-manager")
	client := benchClient(b, s)
	plan := filepath.Join(b.TempDir(), "plan.yaml")
	if err := os.WriteFile(plan, []byte("apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec: {mode: \"off\", rules: [{namespaces: [planned], mode: enforce, onError: fail}]}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	places := map[string][]string{
		"without": nil, "planned": {"--plan", plan}, "single": {"--namespace-selector", "kubernetes.io/metadata.name=single"},
	}
	for place, args := range places {
		create(b, client, "/api/v1/namespaces", `{"metadata":{"name":"`+place+`"}}`)
		if args == nil {
			continue
		}
		out, err := exec.CommandContext(b.Context(), binary, append([]string{"policy", "export"}, args...)...).Output()
		if err != nil {
			b.Fatal(err)
		}
		file := filepath.Join(b.TempDir(), "policies.yaml")
		if err := os.WriteFile(file, out, 0o600); err != nil {
			b.Fatal(err)
		}
		if _, message, err := s.Kubectl(b, "", "--kubeconfig="+s.Kubeconfig, "apply", "--server-side", "-f", file); err != nil {
			b.Fatalf("%v %s", err, message)
		}
		hostile := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"hostile"},"spec":{"hostPID":true,"containers":[{"name":"a","image":"a"}]}}`
		for begun := time.Now(); post(b, client, "/api/v1/namespaces/"+place+"/pods", hostile, "dryRun") == ""; {
			if time.Since(begun) > time.Minute {
				b.Fatal("the policies do not hold")
			}
		}
		b.ReportMetric(float64(strings.Count(string(out), "kind: ValidatingAdmissionPolicy\n")), place+"-policies")
	}
	time.Sleep(3 * time.Second) //nolint:forbidigo // bindings are taken up once a second
	for range b.N {
		took := map[string][]time.Duration{}
		turns := slices.Sorted(maps.Keys(places))
		for i := range pods + 20 {
			turns = append(turns[1:], turns[0])
			for _, place := range turns {
				body := fmt.Sprintf(podOfRealSize, fmt.Sprintf("web-%d-%d", b.N, i), strings.Repeat("0a", 32))
				begun := time.Now()
				create(b, client, "/api/v1/namespaces/"+place+"/pods", body)
				if i >= 20 { // the first ones warm connections and caches up
					took[place] = append(took[place], time.Since(begun))
				}
			}
		}
		without := halfway(took["without"])
		b.ReportMetric(float64(without.Microseconds()), "without-µs")
		for _, place := range []string{"planned", "single"} {
			b.ReportMetric(float64((halfway(took[place]) - without).Microseconds()), place+"-added-µs")
		}
	}
	b.ReportMetric(0, "ns/op")
}

func halfway(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

func benchClient(b testing.TB, s *apiserver.Sandbox) *discovery.DiscoveryClient {
	b.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	config.QPS, config.Burst, config.WarningHandler = -1, 0, rest.NoWarnings{}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		b.Fatal(err)
	}
	return client
}

// post is why the API server does not make an object, "" where it does.
func post(b *testing.B, client *discovery.DiscoveryClient, path, body, dry string) string {
	b.Helper()
	request := client.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body(bytes.NewBufferString(body).Bytes())
	if dry != "" {
		request = request.Param(dry, "All")
	}
	if err := request.Do(context.WithoutCancel(b.Context())).Error(); err != nil {
		return err.Error()
	}
	return ""
}

func create(b *testing.B, client *discovery.DiscoveryClient, path, body string) {
	b.Helper()
	if why := post(b, client, path, body, ""); why != "" {
		b.Fatal(why)
	}
}
