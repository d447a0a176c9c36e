package admission

import (
	"encoding/json"
	"fmt"
	"strings"
)

// review is an answer (k8s.io/api/admission/v1 AdmissionReview).
type review struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Response   response `json:"response"`
}

type response struct {
	UID              string            `json:"uid"`
	Allowed          bool              `json:"allowed"`
	Status           *status           `json:"status,omitempty"`
	Patch            []byte            `json:"patch,omitempty"`
	PatchType        string            `json:"patchType,omitempty"`
	AuditAnnotations map[string]string `json:"auditAnnotations,omitempty"`
	Warnings         []string          `json:"warnings,omitempty"`
}

// status is the part of a metav1.Status that people see.
type status struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
}

// The codes of refusals, which are HTTP's.
const (
	forbidden       = 403
	tooManyRequests = 429
)

// answer is the answer to a request.
func (out *Outcome) answer(q *request) []byte {
	r := response{UID: q.uid, Allowed: out.Allowed, Warnings: out.Warnings, AuditAnnotations: out.Notes}
	if out.more > 0 && out.Allowed {
		r.Warnings = append(r.Warnings, fmt.Sprintf("and %d more; 'coaming scan' tells all", out.more))
	}
	if !out.Allowed {
		r.Status = &status{Status: "Failure", Message: out.message(q), Reason: "Forbidden", Code: forbidden}
		if out.passing && len(out.Denials) == 1 {
			r.Status.Reason, r.Status.Code = "TooManyRequests", tooManyRequests
		}
	}
	return r.bytes()
}

func (r *response) bytes() []byte {
	text, err := json.Marshal(review{reviewVersion, reviewKind, *r})
	if err != nil { // texts, numbers and truth have a form
		panic(err)
	}
	return text
}

// message is why a request is refused: one line, or one for each reason.
func (out *Outcome) message(q *request) string {
	if len(out.Denials) == 1 && out.more == 0 {
		return out.Denials[0]
	}
	var text strings.Builder
	kind, _, _ := strings.Cut(q.kind, ".")
	fmt.Fprintf(&text, "%d reasons not to let this %s in:", len(out.Denials)+out.more, kind)
	for _, line := range out.Denials {
		text.WriteString("\n- " + line)
	}
	if out.more > 0 {
		fmt.Fprintf(&text, "\nand %d more.", out.more)
	}
	return text.String()
}
