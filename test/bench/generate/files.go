package generate

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// Files writes the cluster as people write manifests: owners with their replicas, no pods, no nodes;
// a folder for each namespace, a dozen objects in each file.
func (c *Cluster) Files(dir string) error {
	folders := map[string][]thing{}
	var order []string
	put := func(folder string, o thing) {
		if folders[folder] == nil {
			order = append(order, folder)
		}
		folders[folder] = append(folders[folder], o)
	}
	for _, ns := range c.namespaces {
		put(ns.name, ns.object())
		for _, o := range ns.owners {
			put(ns.name, o.manifest(false))
		}
	}
	for _, o := range c.things {
		folder, _ := o["metadata"].(thing)["namespace"].(string)
		if folder == "" {
			folder = "cluster"
		}
		put(folder, o)
	}
	for _, folder := range order {
		objects := folders[folder]
		for at := 0; at < len(objects); at += perFile {
			path := filepath.Join(dir, folder, fmt.Sprintf("%05d.yaml", at))
			if err := writeYAML(path, objects[at:min(at+perFile, len(objects))]); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeYAML(path string, objects []thing) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	w := bufio.NewWriter(file)
	for _, o := range objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			return fmt.Errorf("write object: %w", err)
		}
		_, _ = w.WriteString("---\n") // Flush tells the error
		_, _ = w.Write(text)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write objects: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write objects: %w", err)
	}
	return nil
}

func (n *namespace) object() thing {
	labels := thing{"kubernetes.io/metadata.name": n.name, "team": team(n.name)}
	if n.level != "" {
		labels["pod-security.kubernetes.io/enforce"] = n.level
	}
	return thing{"apiVersion": "v1", "kind": "Namespace", "metadata": thing{"name": n.name, "labels": labels}}
}

// versions are the API versions of the owners' kinds.
var versions = map[string]string{"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "CronJob": "batch/v1", "Pod": "v1"}

// manifest is the owner as an object.
func (o *owner) manifest(served bool) thing {
	template := o.template(served)
	labels := template["metadata"].(thing)["labels"]
	meta := thing{"name": o.name, "namespace": o.namespace.name, "labels": labels}
	m := thing{"apiVersion": versions[o.kind], "kind": o.kind, "metadata": meta}
	selector := thing{"matchLabels": thing{"app.kubernetes.io/name": o.app, "app.kubernetes.io/instance": o.name}}
	switch o.kind {
	case "Pod":
		m["spec"] = template["spec"]
	case "CronJob":
		m["spec"] = thing{"schedule": "*/15 * * * *", "jobTemplate": thing{"spec": thing{"template": template}}}
	case "DaemonSet":
		m["spec"] = thing{"selector": selector, "template": template}
	case "StatefulSet":
		m["spec"] = thing{"replicas": o.replicas, "serviceName": o.name, "selector": selector, "template": template}
	default:
		m["spec"] = thing{"replicas": o.replicas, "selector": selector, "template": template}
	}
	return m
}
