package sbom

// field is where a text of a part goes that CycloneDX and syft call alike; nil for what is no such text.
func (p *part) field(name string) *string {
	switch name {
	case "id", "bom-ref":
		return &p.id
	case "group":
		return &p.group
	case "name":
		return &p.name
	case "version":
		return &p.version
	case "purl":
		return &p.purl
	case "description":
		return &p.title
	}
	return nil
}

// described reads an object that describes a part; other reads what is no plain text of it.
func (d *document) described(p *part, other func(name string) error) error {
	return d.c.object(func(name string) error {
		if to := p.field(name); to != nil {
			return d.c.into(to)
		}
		return other(name)
	})
}
