package reconcile

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Mount is a ConfigMap in the reconciler's own namespace, and the folder that its files are mounted into. A kubelet brings what somebody
// writes to a ConfigMap into its pods a minute or two later.
type Mount struct{ ConfigMap, Folder string }

// behind names what of the mounted files is not yet as their ConfigMaps say; "" where all is. What would be kept by files of yesterday
// is not what is wanted today: who installs may just have replaced it.
func (r *Reconciler) behind(ctx context.Context) (string, error) {
	for _, m := range r.Mounts {
		o, err := r.client.CoreV1().ConfigMaps(r.Namespace).Get(ctx, m.ConfigMap, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("look whether ConfigMap %s/%s is as it is mounted: %w", r.Namespace, m.ConfigMap, err)
		}
		for _, name := range slices.Sorted(maps.Keys(o.Data)) {
			text, err := os.ReadFile(filepath.Join(m.Folder, name))
			if os.IsNotExist(err) || err == nil && string(text) != o.Data[name] {
				return fmt.Sprintf("%s of ConfigMap %s", name, m.ConfigMap), nil
			}
			if err != nil {
				return "", fmt.Errorf("look whether ConfigMap %s/%s is as it is mounted: %w", r.Namespace, m.ConfigMap, err)
			}
		}
	}
	return "", nil
}
