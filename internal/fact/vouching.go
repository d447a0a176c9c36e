package fact

// Vouching is who vouches for an image, as rules read it: what a policy of trust demands of the image, and what
// was verified by the signers whom the policy names.
type Vouching struct {
	Demands      []Demand    `json:"demands"`
	Signatures   []Voucher   `json:"signatures"`   // of the image itself
	Attestations []Voucher   `json:"attestations"` // about it
	Rejected     []Rejection `json:"rejected"`     // what stands beside it and counts for nothing
	// Unseen says what could not be looked at; Whole is that there is no such thing. A rule that reads Whole where
	// there is gets no answer, and is unknown.
	Unseen []string `json:"unseen"`
	Whole  bool     `json:"whole"`
}

// Demand is one thing that a policy of trust asks of an image.
type Demand struct {
	// Name is what is demanded, in words: it is the same as long as the policy is.
	Name string `json:"name"`
	// Kind is "signature" or "attestation"; of one, Type is the kind or predicate in the policy's words.
	Kind string `json:"kind"`
	Type string `json:"type"`
	// Signers are who may sign, Need how many of them must, Found how many have.
	Signers []string `json:"signers"`
	Need    int      `json:"need"`
	Found   int      `json:"found"`
	// Met says whether it is so, and Lack what is in the way: one of the words below, "" where nothing is.
	Met  bool   `json:"met"`
	Lack string `json:"lack"`
	Why  string `json:"why"`
}

// What a demand that is not met lacks.
const (
	LackSignature   = "signature"   // there is none that counts
	LackStranger    = "stranger"    // somebody genuine signed whom the policy does not name for it
	LackSigners     = "signers"     // some have signed, and not as many as must
	LackAttestation = "attestation" // there is none of that type
	LackBuilder     = "builder"     // the provenance names another builder
	LackSource      = "source"      // it names another source
	LackDoubt       = "doubt"       // it says something else than its signer's certificate
	LackLevel       = "level"       // the level of SLSA is lower
)

// Voucher is a signature or an attestation that was verified. Of a signature all that is of a statement is empty.
type Voucher struct {
	Name     string `json:"name"` // the signer in the policy's words
	Form     string `json:"form"`
	Key      string `json:"key"`
	Identity string `json:"identity"`
	Issuer   string `json:"issuer"`
	Time     string `json:"time"`
	Clock    string `json:"clock"`
	Logged   bool   `json:"logged"`
	Place    string `json:"place"`

	Kind          string   `json:"kind"`
	PredicateType string   `json:"predicateType"`
	Builder       string   `json:"builder"`
	BuildType     string   `json:"buildType"`
	Source        string   `json:"source"`
	Commit        string   `json:"commit"`
	Level         int      `json:"level"`
	Doubts        []string `json:"doubts"`
	// Bill is what an attested bill of materials comes to beside the image.
	Bill Bill `json:"bill"`
}

// Bill compares a bill of materials with what was found in the image that it is about.
type Bill struct {
	Read     bool     `json:"read"`   // it was read, and compared
	Unread   string   `json:"unread"` // why it was not; "" where it was, or the attestation is none
	Packages int      `json:"packages"`
	Missing  []string `json:"missing"` // packages that the image holds and the bill does not name, "npm left 1.0.0"
	Extra    []string `json:"extra"`   // packages that the bill names and the image does not hold
}

// NewVouching is the answer about an image with the demands, as rules read it. bills are those of the attestations, in their
// order, and may end before them.
func NewVouching(t *Trust, demands []Demand, bills []Bill) *Vouching {
	v := &Vouching{Demands: demands, Rejected: t.Rejected, Unseen: t.Unseen}
	for i := range t.Signatures {
		v.Signatures = append(v.Signatures, voucher(&t.Signatures[i]))
	}
	for i := range t.Attestations {
		a := &t.Attestations[i]
		one := voucher(&a.Signature)
		one.Kind, one.PredicateType = a.Kind, a.PredicateType
		if p := a.Provenance; p != nil {
			one.Builder, one.BuildType, one.Source, one.Commit, one.Level, one.Doubts = p.Builder, p.BuildType, p.Source, p.Commit, p.Level, p.Doubts
		}
		if i < len(bills) {
			one.Bill = bills[i]
		}
		v.Attestations = append(v.Attestations, one)
	}
	v.Settle()
	return v
}

func voucher(s *Signature) Voucher {
	return Voucher{
		Name: s.Signer, Form: s.Form, Key: s.Key, Identity: s.Identity, Issuer: s.Issuer, Time: s.Time, Clock: s.Clock, Logged: s.Logged, Place: s.Place,
	}
}

// Settle makes lists of what is nil, and says whether everything was looked at.
func (v *Vouching) Settle() {
	v.Whole = len(v.Unseen) == 0
	v.Demands, v.Signatures, v.Attestations = list(v.Demands), list(v.Signatures), list(v.Attestations)
	v.Rejected, v.Unseen = list(v.Rejected), list(v.Unseen)
	for i := range v.Demands {
		v.Demands[i].Signers = list(v.Demands[i].Signers)
	}
	for _, all := range [][]Voucher{v.Signatures, v.Attestations} {
		for i := range all {
			all[i].Doubts, all[i].Bill.Missing, all[i].Bill.Extra = list(all[i].Doubts), list(all[i].Bill.Missing), list(all[i].Bill.Extra)
		}
	}
}

func list[T any](of []T) []T {
	if of == nil {
		return []T{}
	}
	return of
}
