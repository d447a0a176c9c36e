package attack

// techniques are those of MITRE ATT&CK Enterprise that steps name, with their titles there (attack.mitre.org).
var techniques = map[string]string{
	"T1005":     "Data from Local System",
	"T1055":     "Process Injection",
	"T1072":     "Software Deployment Tools",
	"T1078":     "Valid Accounts",
	"T1078.001": "Valid Accounts: Default Accounts",
	"T1078.004": "Valid Accounts: Cloud Accounts",
	"T1098":     "Account Manipulation",
	"T1098.004": "Account Manipulation: SSH Authorized Keys",
	"T1098.006": "Account Manipulation: Additional Container Cluster Roles",
	"T1190":     "Exploit Public-Facing Application",
	"T1210":     "Exploitation of Remote Services",
	"T1528":     "Steal Application Access Token",
	"T1543":     "Create or Modify System Process",
	"T1546":     "Event Triggered Execution",
	"T1552.001": "Unsecured Credentials: Credentials In Files",
	"T1552.004": "Unsecured Credentials: Private Keys",
	"T1552.005": "Unsecured Credentials: Cloud Instance Metadata API",
	"T1552.007": "Unsecured Credentials: Container API",
	"T1557":     "Adversary-in-the-Middle",
	"T1572":     "Protocol Tunneling",
	"T1609":     "Container Administration Command",
	"T1610":     "Deploy Container",
	"T1611":     "Escape to Host",
	"T1649":     "Steal or Forge Authentication Certificates",
	"T1685":     "Disable or Modify Tools",
}

// TechniqueTitle is what MITRE ATT&CK calls the step's technique.
func (s *Step) TechniqueTitle() string { return techniques[s.Technique] }

// String is the effort's word.
func (e Effort) String() string {
	switch {
	case e == Joint:
		return "none"
	case e <= Trivial:
		return "trivial"
	case e <= Easy:
		return "easy"
	case e <= Moderate:
		return "moderate"
	}
	return "hard"
}
