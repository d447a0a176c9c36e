package rule

import (
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// charge takes from the meter what a function will cost with these arguments. An error is a call
// that would make more than it may.
func (m *meter) charge(function string, args []ref.Val) error {
	if m == nil {
		return nil
	}
	m.spend(2)
	switch function {
	case "size", operators.Add, operators.LogicalNot, operators.NotStrictlyFalse, "type", "dyn", "optional.of", "value", "orValue", "or", "hasValue", "optional.none":
		return m.chargeFlat(function, args)
	case operators.Equals, operators.NotEquals, operators.In:
		for _, arg := range args {
			m.deep(arg)
		}
	case "sets.contains", "sets.intersects", "sets.equivalent":
		m.spend((1 + m.deep(args[0])) * (1 + m.deep(args[1])))
	case "matches", "find", "findAll":
		return m.chargePattern(args)
	case "replace", "join", "format":
		return m.chargeText(function, args)
	case "indexOf", "lastIndexOf":
		if s, ok := args[0].(types.String); ok && len(args) > 1 {
			part, _ := args[1].(types.String)
			m.spend((1 + len(s)) * (1 + len(part)) / bytesOfUnit)
			return nil
		}
		m.deepAll(args)
	case "grants":
		m.spend(4 * m.deep(args[0]))
	default:
		m.deepAll(args)
		if !wordy[function] {
			for _, arg := range args {
				if n := weight(arg); n > longestWord {
					return fmt.Errorf("%s of %d bytes: cost bound", function, n)
				}
			}
		}
	}
	return nil
}

// wordy are the functions that take time in proportion to a text, however long it is.
var wordy = map[string]bool{
	"contains": true, "startsWith": true, "endsWith": true, "split": true, "lowerAscii": true, "upperAscii": true, "trim": true,
	"substring": true, "charAt": true, "reverse": true, "string": true, "bytes": true, "image": true, "credential": true, "base64text": true,
	"strings.quote": true, operators.Less: true, operators.LessEquals: true, operators.Greater: true, operators.GreaterEquals: true,
}

// chargeFlat is for what looks at its arguments and not into them.
func (m *meter) chargeFlat(function string, args []ref.Val) error {
	total := 0
	for _, arg := range args {
		total += weight(arg)
		if mf, ok := arg.(mapFact); ok && function == "size" {
			total += mf.v.Len() * bytesOfUnit // counts its entries that are not null
		}
	}
	m.spend(total / bytesOfUnit)
	if function == operators.Add && total > longestText {
		return fmt.Errorf("a text of %d bytes: cost bound", total)
	}
	return nil
}

// chargePattern is the product of a text and a pattern's program, which is what matching it takes at worst.
func (m *meter) chargePattern(args []ref.Val) error {
	text, _ := args[0].(types.String)
	pattern, _ := args[1].(types.String)
	if len(pattern) > longestWord>>4 {
		return fmt.Errorf("a pattern of %d bytes: cost bound", len(pattern))
	}
	m.spend(16 + 2*len(pattern))
	size := len(pattern)
	if tree, err := syntax.Parse(string(pattern), syntax.Perl); err == nil {
		m.spend(len(pattern) * (1 + strings.Count(string(pattern), "{"))) // counted repetitions are written out
		if program, err := syntax.Compile(tree.Simplify()); err == nil {
			size = len(program.Inst)
		}
	}
	m.spend(4*size + (1+len(text))*size/(2*bytesOfUnit))
	return nil
}

// chargeText foretells how long a text a function will make.
func (m *meter) chargeText(function string, args []ref.Val) error {
	long := 0
	switch function {
	case "replace":
		s, _ := args[0].(types.String)
		old, _ := args[1].(types.String)
		long = len(s)
		if len(args) > 2 {
			with, _ := args[2].(types.String)
			m.spend(len(s) / bytesOfUnit)
			long += strings.Count(string(s), string(old)) * len(with)
		}
	case "join":
		between := 0
		if len(args) > 1 {
			between = weight(args[1])
		}
		long = m.letters(args[0]) + entries(args[0])*between
	case "format":
		s, _ := args[0].(types.String)
		digits, err := precision(string(s))
		if err != nil {
			return err
		}
		long = len(s) + digits
		if len(args) > 1 {
			long += 4 * m.letters(args[1])
		}
	}
	if long > longestText {
		return fmt.Errorf("%s to %d bytes: cost bound", function, long)
	}
	m.spend(long / bytesOfUnit)
	return nil
}

// precision is how many digits the %.Nf of a format ask for.
func precision(format string) (int, error) {
	total := 0
	for part := range strings.SplitSeq(format, "%.") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		if digits == "" {
			continue
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n > 1000 {
			return 0, fmt.Errorf("format with %s digits: cost bound", digits[:min(len(digits), 10)])
		}
		total += n
	}
	return total, nil
}

func (m *meter) deepAll(args []ref.Val) {
	for _, arg := range args {
		m.deep(arg)
	}
}

// deep charges for all values below a value, as often as it is reached, and says how many they are.
func (m *meter) deep(v ref.Val) int {
	n := 1 + weight(v)/bytesOfUnit
	m.spend(n)
	switch v := v.(type) {
	case mapFact:
		n += v.v.Nodes()
		m.spend(v.v.Nodes())
	case *listFact:
		n += v.v.Nodes()
		m.spend(v.v.Nodes())
	case *lazyFact:
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True; {
			n += m.deep(it.Next())
		}
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			n += m.deep(key)
			if entry, found := v.Find(key); found {
				n += m.deep(entry)
			}
		}
	case *types.Optional:
		if v.HasValue() {
			n += m.deep(v.GetValue())
		}
	}
	return n
}

// letters is how long the texts below a value are in all, or would be as texts.
func (m *meter) letters(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		m.spend(1)
		return len(v)
	case types.Bytes:
		return len(v)
	case mapFact:
		m.spend(v.v.Nodes())
		return len(v.v.AppendJSON(nil))
	case *listFact:
		m.spend(v.v.Nodes())
		return len(v.v.AppendJSON(nil))
	case traits.Lister:
		n := 2
		for it := v.Iterator(); it.HasNext() == types.True; {
			n += 2 + m.letters(it.Next())
			m.spend(1)
		}
		return n
	case traits.Mapper:
		n := 2
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			n += 4 + m.letters(key)
			if entry, found := v.Find(key); found {
				n += m.letters(entry)
			}
			m.spend(1)
		}
		return n
	}
	m.spend(1)
	return 32
}

// weight is a text's length in bytes; 0 for what is none.
func weight(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	}
	return 0
}

// entries is how many items a list or entries a map has.
func entries(v ref.Val) int {
	switch v := v.(type) {
	case mapFact:
		return v.v.Len()
	case *listFact:
		return v.v.Len()
	case traits.Sizer:
		if _, isText := v.(types.String); isText {
			return 0
		}
		if n, ok := v.Size().(types.Int); ok {
			return int(n)
		}
	}
	return 0
}
