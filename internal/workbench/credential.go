package workbench

import (
	"strings"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/document"
)

// shortSecret is the length below which a text is too common to be looked for inside others.
const shortSecret = 4

// masked stands in place of a credential.
const masked = "[masked]"

// credentials collects the credentials that objects hold: literals under a name that gives them
// away, in env as name and value, and those of their own form; of a Secret everything.
func credentials(objects []document.Value) []string {
	var list []string
	for _, v := range objects {
		list = append(list, credentialsBelow("", v)...)
	}
	return list
}

func credentialsBelow(key string, v document.Value) []string {
	var list []string
	switch v.Kind() {
	case document.Map:
		if v.Get("kind").Str() == "Secret" {
			list = append(list, contents(v)...)
		}
		if name := v.Get("name").Str(); name != "" && v.Get("value").Exists() {
			list = append(list, credentialsBelow(name, v.Get("value"))...)
		}
		for key, field := range v.Fields() {
			list = append(list, credentialsBelow(key, field)...)
		}
	case document.List:
		for _, item := range v.Items() {
			list = append(list, credentialsBelow("", item)...)
		}
	case document.String:
		if credential.Masks(key, v.Str()) {
			list = append(list, v.Str(), credential.Decode(v.Str()))
		}
		for _, span := range credential.Spans(v.Str()) {
			list = append(list, v.Str()[span.Start:span.End])
		}
	default: // no number is a credential
	}
	return list
}

// contents is what a Secret holds, encoded and not, less what its name tells anyway: a bootstrap token's id.
func contents(secret document.Value) []string {
	name := secret.At("metadata", "name").Str()
	var list []string
	for _, data := range []string{"data", "stringData"} {
		for _, entry := range secret.Get(data).Fields() {
			for _, text := range []string{entry.Text(), credential.Decode(entry.Str())} {
				if text != "" && !strings.Contains(name, text) {
					list = append(list, text)
				}
			}
		}
	}
	return list
}

// hide is a text as it may be shown: masked where it is one of the secrets, a part of one, or holds
// one, and where it has a credential's form.
func hide(text string, secrets []string) string {
	small := strings.ToLower(text)
	for _, secret := range secrets {
		s := strings.ToLower(secret)
		switch {
		case s == "":
		case s == small, len(s) >= shortSecret && strings.Contains(small, s), len(small) >= shortSecret && strings.Contains(s, small):
			return masked
		}
	}
	if credential.ByForm(text) != credential.None || len(credential.Spans(text)) > 0 {
		return masked
	}
	return text
}
