package image

import "testing"

// TestShadowAlone asks that an account without a password is told when nothing but /etc/shadow names it.
func TestShadowAlone(t *testing.T) {
	img, _ := mustRead(t, layout(t, tarOf(t, written("etc/shadow", "evil::19000:0:99999:7:::\nroot:*:19000::::::\n"))), Options{})
	if a := img.Contents.Accounts; len(a) != 1 || a[0].Name != "evil" || a[0].Password != "none" || a[0].Path != "etc/shadow" || img.Contents.Config.UID != 0 {
		t.Errorf("got %+v", a)
	}
}
