package rule

import (
	"strconv"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
)

// mostTree bounds the values of a tree that is searched for credentials, and mostFound the places told.
const (
	mostTree  = 200_000
	mostFound = 20
)

// credentialsIn is the places of the credentials in a tree of settings, "auth.password", by the names
// and forms of its literals; never their values.
func credentialsIn(v ref.Val) ref.Val {
	var root document.Value
	switch fact := v.(type) {
	case mapFact:
		root = fact.v
	case *listFact:
		root = fact.v
	case *types.Err:
		return v
	default:
		return Facts(nil) // a number, a word: no tree
	}
	if root.Nodes() > mostTree {
		return types.WrapErr(&NotSeen{Reason: "it holds more values than are searched for credentials"})
	}
	t := tree{found: []Fact{}}
	t.walk(root, "", "")
	return Facts(t.found)
}

type tree struct{ found []Fact }

func (t *tree) walk(v document.Value, key, path string) {
	if len(t.found) >= mostFound {
		return
	}
	switch v.Kind() {
	case document.Map:
		name, value := v.Get("name").Str(), v.Get("value")
		for k, entry := range v.Fields() {
			under := k
			if k == "value" && name != "" && value.Kind() == document.String {
				under = name // of a list of names and values, as env is
			}
			t.walk(entry, under, join(path, k))
		}
	case document.List:
		for i, item := range v.Items() {
			t.walk(item, key, path+"["+strconv.Itoa(i)+"]")
		}
	case document.String:
		if credential.InTree(key, v.Str()) != credential.None {
			t.found = append(t.found, Text(path))
		}
	default: // no number is a credential
	}
}

// join is a path and the next key; a key that is no plain word is not shown.
func join(path, key string) string {
	if strings.ContainsAny(key, " \n") || len(key) > 60 || credential.ByForm(key) != credential.None {
		key = "…"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
