package catalog_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
)

var minorVersion = regexp.MustCompile(`^1\.[1-9]?[0-9]$`)

// TestSupport reads every support file by itself, because the catalogue leaves out what it cannot read.
func TestSupport(t *testing.T) {
	files, err := filepath.Glob("support/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no support files: %v", err)
	}
	checks := map[string]func(t *testing.T, root document.Value){
		"apis.yaml":         checkAPIs,
		"kubernetes.yaml":   checkVersions,
		"clusterroles.yaml": checkRoles,
		"roles.yaml":        checkRoles,
		"bindings.yaml":     checkBindings,
		"resources.yaml":    checkResources,
		"kinds.yaml":        checkKinds,
		"dropped.yaml":      checkDropped,
		"images.yaml":       checkImages,
		"systems.yaml":      checkSystems,
		"programs.yaml":     checkPrograms,
		"tools.yaml":        checkTools,
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			check := checks[filepath.Base(file)]
			if check == nil {
				t.Fatal("no test knows what this file holds")
			}
			check(t, wholeFile(t, file))
		})
	}
}

func wholeFile(t *testing.T, file string) document.Value {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	docs, errs := document.Read(document.NewText(string(raw)), 1)
	if len(errs) > 0 || len(docs) != 1 {
		t.Fatalf("%d documents, want one: %v", len(docs), errs)
	}
	if doubt := docs[0].Doubt(); doubt != nil {
		t.Fatal(doubt)
	}
	return docs[0].Root()
}

// only reports keys that no reader knows: a misspelt one would be an absent one.
func only(t *testing.T, v document.Value, keys ...string) {
	t.Helper()
	for key := range v.Fields() {
		if !slices.Contains(keys, key) {
			line, _ := v.Position()
			t.Errorf("line %d: unknown key %q", line, key)
		}
	}
}

// checkKinds holds that every kind of the API calendar, and every one that carries pods in
// Kubernetes' own groups, is known.
func checkKinds(t *testing.T, root document.Value) {
	only(t, root, "groups")
	for _, entry := range root.Get("groups").Items() {
		only(t, entry, "group", "kinds")
		group := entry.Get("group").Str()
		if !catalog.IsOwnGroup(group) || entry.Get("kinds").Len() == 0 {
			t.Errorf("group %q is not read whole", group)
		}
	}
	for _, entry := range wholeFile(t, "support/apis.yaml").Get("apis").Items() {
		for _, kind := range entry.Get("kinds").Items() {
			if group := entry.Get("group").Str(); !catalog.IsOwnKind(group, kind.Str()) {
				t.Errorf("%q of group %q has a calendar and is not known", kind.Str(), group)
			}
		}
	}
	if catalog.IsOwnKind("", "Deployment") || !slices.Contains(catalog.GroupsOf("deployment"), "Deployment.apps") {
		t.Error("a Deployment is of apps, not of the core group")
	}
}

func checkAPIs(t *testing.T, root document.Value) {
	only(t, root, "apis")
	seen := map[string]bool{}
	for _, entry := range root.Get("apis").Items() {
		only(t, entry, "group", "version", "kinds", "deprecatedIn", "removedIn", "replacement")
		line, _ := entry.Position()
		version := strings.TrimPrefix(entry.Get("group").Str()+"/"+entry.Get("version").Str(), "/")
		if entry.Get("group").Kind() != document.String || !apiVersion.MatchString(version) {
			t.Errorf("line %d: %q is no group and version", line, version)
		}
		if entry.Get("kinds").Len() == 0 {
			t.Errorf("line %d: no kinds", line)
		}
		for _, kind := range entry.Get("kinds").Items() {
			key := version + " " + kind.Str()
			if seen[key] {
				t.Errorf("line %d: %s for the second time", line, key)
			}
			seen[key] = true
			checkAPI(t, line, version, kind.Str())
		}
	}
	if api, ok := catalog.APIOf("extensions/v1beta1", "Ingress"); !ok || api.RemovedIn != "1.22" || api.Replacement != "networking.k8s.io/v1" {
		t.Errorf("of extensions/v1beta1 Ingress is known: %+v", api)
	}
}

// checkDropped holds that what a project gave up is told once, whole, and with a successor that it did not give up.
func checkDropped(t *testing.T, root document.Value) {
	only(t, root, "apis")
	seen := map[string]bool{}
	release := regexp.MustCompile(`^[A-Za-z][A-Za-z -]* [0-9]+\.[0-9]+$`)
	for _, entry := range root.Get("apis").Items() {
		only(t, entry, "group", "version", "kinds", "droppedBy", "replacement")
		line, _ := entry.Position()
		version := entry.Get("group").Str() + "/" + entry.Get("version").Str()
		if !apiVersion.MatchString(version) || !apiVersion.MatchString(entry.Get("replacement").Str()) || !release.MatchString(entry.Get("droppedBy").Str()) {
			t.Errorf("line %d: %s dropped by %q for %q", line, version, entry.Get("droppedBy").Str(), entry.Get("replacement").Str())
		}
		kinds := []string{"Any"}
		for i, kind := range entry.Get("kinds").Items() {
			if i == 0 {
				kinds = nil
			}
			kinds = append(kinds, kind.Str())
		}
		for _, kind := range kinds {
			if seen[version+" "+kind] {
				t.Errorf("line %d: %s %s for the second time", line, version, kind)
			}
			seen[version+" "+kind] = true
			want := catalog.Dropped{By: entry.Get("droppedBy").Str(), Replacement: entry.Get("replacement").Str()}
			if got := catalog.DroppedAPI(version, kind); got != want {
				t.Errorf("line %d: of %s %s is known %+v", line, version, kind, got)
			}
			if next := catalog.DroppedAPI(want.Replacement, kind); next.By != "" {
				t.Errorf("line %d: the successor of %s %s was itself dropped by %s", line, version, kind, next.By)
			}
		}
	}
	if d := catalog.DroppedAPI("gateway.networking.k8s.io/v1alpha2", "UDPRoute"); d.By != "" {
		t.Errorf("UDPRoute was dropped by %s", d.By)
	}
}

var apiVersion = regexp.MustCompile(`^([a-z0-9.-]+/)?v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$`)

func checkAPI(t *testing.T, line int, version, kind string) {
	t.Helper()
	api, ok := catalog.APIOf(version, kind)
	if !ok {
		t.Errorf("line %d: the catalogue does not know %s %s", line, version, kind)
		return
	}
	for _, milestone := range []string{api.DeprecatedIn, api.RemovedIn} {
		if milestone != "" && !minorVersion.MatchString(milestone) {
			t.Errorf("line %d: %q is no version", line, milestone)
		}
	}
	if api.DeprecatedIn == "" && api.RemovedIn == "" {
		t.Errorf("line %d: neither deprecated nor removed", line)
	}
	if api.DeprecatedIn != "" && api.RemovedIn != "" && !catalog.Reached(api.RemovedIn, api.DeprecatedIn) {
		t.Errorf("line %d: removed in %s, before it is deprecated in %s", line, api.RemovedIn, api.DeprecatedIn)
	}
	if api.Replacement == "" {
		return
	}
	if !apiVersion.MatchString(api.Replacement) || api.Replacement == version {
		t.Errorf("line %d: the replacement of %s %s is %q", line, version, kind, api.Replacement)
	}
	if next, ok := catalog.APIOf(api.Replacement, kind); ok && catalog.Reached(catalog.Newest, next.RemovedIn) {
		t.Errorf("line %d: the replacement of %s %s, %s, is itself removed in %s", line, version, kind, api.Replacement, next.RemovedIn)
	}
}

func checkVersions(t *testing.T, root document.Value) {
	only(t, root, "versions")
	last := ""
	for _, v := range root.Get("versions").Items() {
		only(t, v, "version", "released", "endOfLife", "planned")
		version := v.Get("version").Str()
		if !minorVersion.MatchString(version) {
			t.Errorf("%q is no version: is it in quotes?", version)
		}
		if last != "" && (catalog.Reached(last, version) || !catalog.Reached(version, last)) {
			t.Errorf("%s stands after %s", version, last)
		}
		last = version
		end := date(t, v.Get("endOfLife"))
		if catalog.Reached(version, "1.19") {
			released := date(t, v.Get("released"))
			if months := end.Sub(released).Hours() / 24 / 30; months < 12 || months > 16 {
				t.Errorf("%s is supported for %.0f months, from %s to %s; it was 14 for all of them", version, months, released, end)
			}
		}
		if known, ok := catalog.EndOfLife(version); !ok || known != v.Get("endOfLife").Text() {
			t.Errorf("the catalogue says that %s ends at %q", version, known)
		}
	}
	if _, ok := catalog.EndOfLife(catalog.Newest); !ok {
		t.Errorf("the end of life of %s, the newest version, is not known", catalog.Newest)
	}
	if end, ok := catalog.EndOfLife("1.5"); ok {
		t.Errorf("1.5 ends at %q", end)
	}
}

func date(t *testing.T, v document.Value) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, v.Text())
	if err != nil {
		t.Error(err)
	}
	return d
}

// checkRoles wants a list of cluster roles or roles, each with its name and with rules or what
// they are aggregated from.
func checkRoles(t *testing.T, root document.Value) {
	only(t, root, "apiVersion", "kind", "items")
	var names []string
	for _, role := range root.Get("items").Items() {
		only(t, role, "apiVersion", "kind", "metadata", "rules", "aggregationRule")
		only(t, role.Get("metadata"), "name", "namespace", "labels")
		name := role.At("metadata", "namespace").Str() + "/" + role.At("metadata", "name").Str()
		if role.At("metadata", "name").Str() == "" || slices.Contains(names, name) {
			t.Errorf("a role has no name of its own: %q", name)
		}
		names = append(names, name)
		namespaced := role.At("metadata", "namespace").Exists()
		if kind := role.Get("kind").Str(); namespaced != (kind == "Role") || !namespaced != (kind == "ClusterRole") {
			t.Errorf("%s is a %q", name, kind)
		}
		if role.Get("rules").Len() == 0 && !role.Get("aggregationRule").Exists() {
			t.Errorf("%s allows nothing", name)
		}
		for _, rule := range role.Get("rules").Items() {
			only(t, rule, "apiGroups", "resources", "resourceNames", "verbs", "nonResourceURLs")
			if rule.Get("verbs").Len() == 0 || rule.Get("resources").Len()+rule.Get("nonResourceURLs").Len() == 0 {
				t.Errorf("%s has a rule without verbs or without resources", name)
			}
		}
	}
}

// TestRolesOfEveryCluster asks for what the files above are there for.
func TestRolesOfEveryCluster(t *testing.T) {
	byKind := map[string][]string{}
	for _, o := range catalog.Shipped() {
		byKind[o.Kind] = append(byKind[o.Kind], o.Name)
	}
	for kind, want := range map[string][]string{
		"ClusterRole":        {"cluster-admin", "admin", "edit", "view", "system:node", "system:basic-user"},
		"Role":               {"extension-apiserver-authentication-reader", "system:controller:token-cleaner"},
		"ClusterRoleBinding": {"cluster-admin", "system:discovery", "system:public-info-viewer", "system:controller:job-controller"},
		"RoleBinding":        {"system:controller:bootstrap-signer", "system::leader-locking-kube-scheduler"},
	} {
		for _, name := range want {
			if !slices.Contains(byKind[kind], name) {
				t.Errorf("of %d there is no %s %s", len(byKind[kind]), kind, name)
			}
		}
	}
}

// checkBindings wants bindings of roles that are shipped, too.
func checkBindings(t *testing.T, root document.Value) {
	only(t, root, "apiVersion", "kind", "items")
	roles := map[string]bool{}
	for _, o := range catalog.Shipped() {
		roles[o.Kind+" "+o.Namespace+" "+o.Name] = true
	}
	for _, binding := range root.Get("items").Items() {
		only(t, binding, "apiVersion", "kind", "metadata", "roleRef", "subjects")
		namespace := binding.At("metadata", "namespace").Str()
		ref := binding.Get("roleRef")
		if ref.Get("kind").Str() == "ClusterRole" {
			namespace = ""
		}
		if role := ref.Get("kind").Str() + " " + namespace + " " + ref.Get("name").Str(); !roles[role] {
			t.Errorf("%s gives %q, which is not there", binding.At("metadata", "name").Str(), role)
		}
		for _, s := range binding.Get("subjects").Items() {
			only(t, s, "apiGroup", "kind", "name", "namespace")
		}
	}
}

// checkResources wants resources of kinds that are known.
func checkResources(t *testing.T, root document.Value) {
	only(t, root, "resources")
	for _, r := range root.Get("resources").Items() {
		only(t, r, "group", "name", "kind", "short", "namespaced")
		if group, kind := r.Get("group").Str(), r.Get("kind").Str(); !catalog.IsOwnKind(group, kind) {
			t.Errorf("%s: group %q has no kind %q", r.Get("name").Str(), group, kind)
		}
	}
}

func TestReached(t *testing.T) {
	for _, test := range []struct {
		version, milestone string
		want               bool
	}{
		{"1.25", "1.25", true},
		{"1.25", "1.9", true},
		{"1.9", "1.25", false},
		{"v1.36.3", "1.36", true},
		{"1.36+", "1.36", true}, // as some providers write it
		{"2.0", "1.36", true},
		{"1.25", "", false},
		{"", "1.25", false},
		{"nonsense", "1.25", false},
	} {
		if got := catalog.Reached(test.version, test.milestone); got != test.want {
			t.Errorf("Reached(%q, %q) is %t", test.version, test.milestone, got)
		}
	}
}
