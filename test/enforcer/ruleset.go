package enforcer

import (
	"fmt"
	"strings"

	core "k8s.io/api/core/v1"
)

// table is ours; replacing it touches nobody else's rules.
const table = "inet test_policies"

// Ruleset is the state as a script for 'nft -f', which replaces the former one at once. What a policy closes is refused with
// ICMP's "administratively prohibited", so that who tries is told and need not wait.
func (s *State) Ruleset() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s\ndelete table %s\ntable %s {\n", table, table, table)
	jumps := map[direction]string{}
	for _, d := range []direction{egress, ingress} {
		list, err := s.isolations(d)
		if err != nil {
			return "", err
		}
		var pods []string
		for _, one := range list {
			chain := string(d) + "_" + strings.ReplaceAll(one.pod, ".", "_")
			pods = append(pods, one.pod+" : jump "+chain)
			one.write(&b, chain, d)
		}
		if len(pods) > 0 {
			jumps[d] = fmt.Sprintf("\t\tip %s vmap { %s }\n", own(d), strings.Join(pods, ", "))
		}
	}
	// Only what is forwarded: connections with a pod's own node are never kept out. Answers belong to what was let through.
	b.WriteString("\tchain forward {\n\t\ttype filter hook forward priority 10; policy accept;\n")
	b.WriteString("\t\tct direction reply accept\n\t\tct state related accept\n" + jumps[egress] + jumps[ingress] + "\t}\n}\n")
	return b.String(), nil
}

// own is where the address of the pod stands that is isolated, other where its peer's does.
func own(d direction) string {
	if d == egress {
		return "saddr"
	}
	return "daddr"
}

func other(d direction) string {
	if d == egress {
		return "daddr"
	}
	return "saddr"
}

func (i *isolation) write(b *strings.Builder, chain string, d direction) {
	fmt.Fprintf(b, "\tchain %s {\n", chain)
	fmt.Fprintf(b, "\t\tip %s %s return\n", other(d), i.pod) // nothing keeps a pod from itself
	for _, a := range i.allowed {
		if a.addresses != nil && len(a.addresses) == 0 {
			continue // a peer that nobody is
		}
		fmt.Fprintf(b, "\t\t%sreturn\n", a.match(other(d)))
	}
	b.WriteString("\t\treject with icmpx admin-prohibited\n\t}\n")
}

// match is the condition of a rule, with a space after it, or nothing.
func (a *allowance) match(field string) string {
	var b strings.Builder
	switch {
	case a.block != nil:
		fmt.Fprintf(&b, "ip %s %s ", field, a.block.CIDR)
		for _, except := range a.block.Except {
			fmt.Fprintf(&b, "ip %s != %s ", field, except)
		}
	case a.addresses != nil:
		fmt.Fprintf(&b, "ip %s { %s } ", field, strings.Join(a.addresses, ", "))
	}
	protocol := map[core.Protocol]string{core.ProtocolTCP: "tcp", core.ProtocolUDP: "udp", core.ProtocolSCTP: "sctp"}[a.protocol]
	switch {
	case a.protocol == "":
	case a.port == 0:
		fmt.Fprintf(&b, "meta l4proto %s ", protocol)
	case a.port == a.end:
		fmt.Fprintf(&b, "%s dport %d ", protocol, a.port)
	default:
		fmt.Fprintf(&b, "%s dport %d-%d ", protocol, a.port, a.end)
	}
	return b.String()
}
