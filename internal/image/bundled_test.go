package image

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// met is the real program that each mark of the table was last held to: Debian's package, and the release that the mark told.
// Marks of what cannot be had to try them are not in the table (OpenResty, KeyDB).
var met = map[string]struct{ from, release string }{
	"python": {"python3.11-minimal_3.11.2-6+deb12u9", "3.11.2"}, "node": {"libnode108_18.20.4+dfsg-1~deb12u3", "18.20.4"},
	"ruby": {"libruby3.1_3.1.2-7+deb12u1", "3.1.2"}, "php": {"php8.2-cli_8.2.36-1~deb12u1", "8.2.36"}, "perl": {"perl-base_5.36.0-7+deb12u4", "5.36.0"},
	"lua": {"lua5.4_5.4.4-3+deb12u1", "5.4.4"}, "luajit": {"luajit_2.1.0~beta3+git20220320+dfsg-4.1+deb12u1", "2.1.0-beta3"},
	"nginx": {"nginx_1.22.1-9+deb12u11", "1.22.1"}, "apache": {"apache2-bin_2.4.71-1~deb12u1", "2.4.71"}, "haproxy": {"haproxy_2.6.12-1+deb12u4", "2.6.12"},
	"varnish": {"varnish_7.1.1-2+deb12u1", "7.1.1"}, "lighttpd": {"lighttpd_1.4.69-1", "1.4.69"}, "squid": {"squid_5.7-2+deb12u6", "5.7"},
	"redis": {"redis-tools_5%3a7.0.15-1~deb12u10", "7.0.15"}, "valkey": {"valkey-tools_9.1.2-1", "9.1.2"}, "memcached": {"memcached_1.6.18-1+deb12u1", "1.6.18"},
	"postgresql": {"postgresql-15_15.20-0+deb12u1", "15.20"}, "mariadb": {"mariadb-server-core_1%3a10.11.19-0+deb12u1", "10.11.19"},
	"mysql": {"mysql-server-core_9.7.4-2", "9.7.4"}, "sqlite": {"libsqlite3-0_3.40.1-2+deb12u2", "3.40.1"}, "openldap": {"slapd_2.5.13+dfsg-5", "2.5.13"},
	"erts": {"erlang-base_1%3a25.2.3+dfsg-1+deb12u4", "13.1.5"}, "busybox": {"busybox_1%3a1.35.0-4+deb12u1+b1", "1.35.0"}, "bash": {"bash_5.2.15-2+b13", "5.2.15"},
	"openssl": {"libssl3_3.0.22-1~deb12u2", "3.0.22"}, "curl": {"libcurl4_7.88.1-10+deb12u15", "7.88.1"}, "zlib": {"zlib1g_1%3a1.2.13.dfsg-1", "1.2.13"},
	"expat": {"libexpat1_2.5.0-1+deb12u5", "2.5.0"}, "openssh": {"openssh-server_1%3a9.2p1-2+deb12u10", "9.2p1"}, "dropbear": {"dropbear-bin_2022.83-1+deb12u3", "2022.83"},
	"bind": {"bind9_1%3a9.18.49-1~deb12u3", "9.18.49"}, "unbound": {"unbound_1.17.1-2+deb12u4", "1.17.1"}, "dnsmasq": {"dnsmasq-base_2.90-4~deb12u2", "2.90"},
	"vsftpd": {"vsftpd_3.0.3-13+b2", "3.0.3"}, "git": {"git_1%3a2.39.5-0+deb12u3", "2.39.5"}, "mosquitto": {"mosquitto_2.0.11-1.2+deb12u2", "2.0.11"}, //nolint:misspell // its name
}

// TestMarksWereMet asks that every mark was held to a real program, and does so again where COAMING_PROGRAMS names a directory
// with Debian's packages, each unpacked (dpkg -x) in a directory of its name, version included.
func TestMarksWereMet(t *testing.T) {
	names := map[string]bool{}
	for _, list := range marks() {
		for _, m := range list {
			names[m.name] = true
			if _, ok := met[m.name]; !ok {
				t.Errorf("%s was held to no program", m.name)
			}
		}
	}
	for name := range met {
		if !names[name] {
			t.Errorf("%s is no mark", name)
		}
	}
	dir := os.Getenv("COAMING_PROGRAMS")
	if dir == "" {
		t.Skip("COAMING_PROGRAMS names no directory with unpacked packages to read again")
	}
	for name, program := range met {
		packages, _ := filepath.Glob(filepath.Join(dir, strings.SplitN(program.from, "_", 2)[0]+"_*"))
		if len(packages) == 0 {
			t.Errorf("%s: no package like %s", name, program.from)
		}
		for _, at := range packages {
			img, _ := mustRead(t, at, Options{})
			release := program.release
			if filepath.Base(at) != program.from {
				release = ""
			}
			var got []string
			for _, p := range img.Packages {
				if p.Name == name {
					got = append(got, p.Version)
				}
			}
			if len(got) == 0 || release != "" && !slices.Contains(got, release) {
				t.Errorf("%s: got %q, want %q", at, got, program.release)
			}
		}
	}
}

// TestMarksOfServers reads what stands in valkey and mysqld, as their packages have it.
func TestMarksOfServers(t *testing.T) {
	for at, tt := range map[string]struct{ text, want string }{
		"opt/valkey-server":  {"16.2.0\x00valkey9.1.21789267002000000000\x00", "Bitnami valkey 9.1.2"},
		"opt/valkey8":        {"valkey8.1.11774773269000000000\x00", ""},
		"opt/sbin/mysqld":    {"listed_files.empty()\x00MySQL 9.7.4\x00log_before_file_produced\x00", "Bitnami mysql 9.7.4"},
		"opt/mariadb/mysqld": {"x\x0010.11.19-MariaDB\x00", "Bitnami mariadb 10.11.19"},
	} {
		raw := append(append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 5000)...), tt.text...)
		if got, err := readBinary(t, at, append(raw, make([]byte, 5000)...)); got != tt.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", at, got, err, tt.want)
		}
	}
}
