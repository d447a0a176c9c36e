package image

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// users finds who the image runs as.
func (d *describer) users() {
	d.accounts = map[string]*fact.Account{}
	_, layer, passwd := d.at("etc/passwd")
	_, shadowLayer, shadow := d.at("etc/shadow")
	if passwd != nil {
		for i := range passwd.accounts {
			a := passwd.accounts[i]
			a.Layer = layer
			if a.Password == "shadow" {
				a.Password = "locked"
				if shadow != nil {
					a.Password = cmp.Or(shadow.shadow[a.Name], "locked")
				}
			}
			d.Accounts = append(d.Accounts, a)
		}
	}
	for i := range d.Accounts {
		if a := &d.Accounts[i]; d.accounts[a.Name] == nil {
			d.accounts[a.Name] = a
		}
	}
	if shadow != nil { // what names its accounts may come later, or from elsewhere
		for _, name := range slices.Sorted(maps.Keys(shadow.shadow)) {
			if password := shadow.shadow[name]; password == "none" && name != "" && d.accounts[name] == nil {
				d.Accounts = append(d.Accounts, fact.Account{Name: name, UID: -1, GID: -1, Password: password, Layer: shadowLayer, Path: "etc/shadow"})
			}
		}
	}
	name, _, _ := strings.Cut(d.Config.User, ":")
	if n, err := strconv.Atoi(name); err == nil {
		d.Config.UID, d.Config.Known = n, true
		return
	}
	switch a := d.accounts[name]; {
	case a != nil:
		d.Config.UID, d.Config.Known = a.UID, true
	case name == "" || name == "root":
		d.Config.UID, d.Config.Known = 0, true
	}
}
