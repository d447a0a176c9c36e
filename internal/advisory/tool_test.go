package advisory

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tool is what knows an order of versions first hand. It reads pairs, two versions a line, and answers each with one of
// < = > or with ? where one of them is no version to it.
type tool struct {
	ecosystem string
	command   []string // $PAIRS is the file with the pairs
	needs     []string // files and programs without which it is skipped
	pairs     int
	alphabet  []string // what versions are made of
	// odd says why an answer other than ours is right of both; "" that it is not.
	odd func(a, b string) string
}

var plainParts = []string{"0", "1", "2", "9", "10", "00", "01", "2024"}

// releaseWord is a word that says nothing, before more.
var releaseWord = regexp.MustCompile(`(?i)(ga|final|release)[0-9.-]`)

// dotWord is a word behind a dot, and one behind a dot and zeros.
var dotWord = regexp.MustCompile(`\.0*[A-Za-z]`)

var mavenJars = []string{"/usr/share/maven/lib/maven-artifact-3.x.jar", "/usr/share/maven/lib/commons-lang3.jar", "/usr/share/maven/lib/plexus-utils.jar"}

const npmSemver = "/usr/lib/node_modules/npm/node_modules/semver"

var tools = map[string]tool{
	"dpkg --compare-versions": {
		ecosystem: "Debian", pairs: 1500, needs: []string{"dpkg"}, alphabet: []string{".", "-", "~", "+", ":", "a", "rc", "deb", "Z", "~~"},
		command: []string{"sh", "-c", `while read -r a b; do
			if ! dpkg --validate-version "$a" 2>/dev/null || ! dpkg --validate-version "$b" 2>/dev/null; then echo '?'
			elif dpkg --compare-versions "$a" lt "$b"; then echo '<'; elif dpkg --compare-versions "$a" gt "$b"; then echo '>'; else echo '='; fi; done < "$PAIRS"`},
	},
	"rpm's rpm.vercmp": {
		ecosystem: "Red Hat", pairs: 20_000, needs: []string{"rpm"}, alphabet: []string{".", "-", "~", "^", ":", "a", "el", "el9_2", "Z", "_", "+"},
		command: []string{"sh", "-c", `rpm --eval "%{lua: for line in io.lines('$PAIRS') do local at = line:find(' ', 1, true)
			local ok, n = pcall(rpm.vercmp, line:sub(1, at-1), line:sub(at+1)); print(not ok and '?' or n < 0 and '<' or n > 0 and '>' or '=') end}"`},
		odd: func(a, b string) string {
			for _, v := range []string{a, b} {
				if strings.Count(v, "-") > 1 || strings.Contains(v+"-", ":-") || strings.Contains(v, ":.") || strings.Contains(v, ":~") || strings.Contains(v, ":+") || strings.Count(v, ":") > 1 || strings.HasSuffix(v, "-") {
					return "no rpm has a hyphen in its version or its release, or nothing in the place of one"
				}
			}
			if strings.Contains(a, "-") != strings.Contains(b, "-") {
				return "rpm takes a version without a release for any release; advisories give both"
			}
			return ""
		},
	},
	"npm's semver": {
		ecosystem: "npm", pairs: 20_000, needs: []string{"node", npmSemver}, alphabet: []string{".", "-", "+", "a", "rc", "beta", "x", "0.1", "1.2.3", "-alpha.1"},
		command: []string{"node", "-e", `const s=require('` + npmSemver + `');for(const l of require('fs').readFileSync(process.env.PAIRS,'utf8').trim().split('\n')){
			const [a,b]=l.split(' ');if(!s.valid(a)||!s.valid(b)){console.log('?');continue}console.log('<=>'[s.compare(a,b)+1])}`},
	},
	"pip's packaging": {
		ecosystem: "PyPI", pairs: 20_000, needs: []string{"python3"}, alphabet: []string{".", "-", "!", "+", "a", "rc", "b", ".dev", ".post", "_", "local", "preview", "c"},
		command: []string{"python3", "-c", `import os
from pip._vendor.packaging.version import Version
for l in open(os.environ['PAIRS']):
    a,b=l.split()
    try: a,b=Version(a),Version(b)
    except Exception: print('?'); continue
    print('<' if a<b else '>' if a>b else '=')`},
	},
	"Gem::Version": {
		ecosystem: "RubyGems", pairs: 20_000, needs: []string{"ruby"}, alphabet: []string{".", "-", "a", "rc", "b", "pre", ".beta"},
		command: []string{"ruby", "-e", `File.foreach(ENV['PAIRS']){|l| a,b=l.split; (puts '?'; next) unless Gem::Version.correct?(a)&&Gem::Version.correct?(b)
			puts '<=>'[(Gem::Version.new(a)<=>Gem::Version.new(b))+1]}`},
	},
	"PHP's version_compare": {
		ecosystem: "Packagist", pairs: 20_000, needs: []string{"php"}, alphabet: []string{".", "-", "_", "+", "a", "RC", "beta", "dev", "p", "alpha", "rc", "pl"},
		command: []string{"php", "-r", `foreach(file(getenv('PAIRS'),FILE_IGNORE_NEW_LINES) as $l){[$a,$b]=explode(' ',$l);echo '<=>'[version_compare($a,$b)+1],"\n";}`},
		odd: func(a, b string) string {
			if strings.ContainsAny(a[len(a)-1:]+b[len(b)-1:], "-_+.") {
				return "a version that ends in a separator is less than itself to PHP"
			}
			return ""
		},
	},
	"Maven's ComparableVersion": {
		ecosystem: "Maven", pairs: 4000, needs: append([]string{"java"}, mavenJars...),
		alphabet: []string{".", "-", "a", "alpha", "beta", "rc", "SNAPSHOT", "sp", "ga", "jre", ".Final", "m", "x", "cr", ".RELEASE", "v"},
		command: []string{"sh", "-c", `xargs -a "$PAIRS" -n 2 echo | while read -r a b; do printf '%s %s ' "$a" "$b"; done | xargs -n 1000 java -cp ` + strings.Join(mavenJars, ":") +
			` org.apache.maven.artifact.versioning.ComparableVersion | awk '/^   /{n++; if (n%2==1) print ($2=="==" ? "=" : $2)} !/^   /{ if ($1=="1.") n=0 }'`},
		odd: func(a, b string) string {
			if releaseWord.MatchString(a) || releaseWord.MatchString(b) {
				return "releases of Maven differ over ga, final and release before more"
			}
			if dotWord.MatchString(a) || dotWord.MatchString(b) {
				return "releases of Maven differ over words behind a dot; the reference follows the later ones"
			}
			return ""
		},
	},
	"apk version -t":   {ecosystem: "Alpine", needs: []string{"apk"}, pairs: 1500, alphabet: []string{".", "_", "-r", "a", "rc", "_alpha", "_p", "~"}, command: []string{"sh", "-c", `while read -r a b; do apk version -t "$a" "$b" 2>/dev/null || echo '?'; done < "$PAIRS"`}},
	"NuGet.Versioning": {ecosystem: "NuGet", needs: []string{"dotnet"}},
}

// TestUpstreamTools asks the ecosystems' own tools about the order of random pairs of versions. It takes a minute, and runs
// when COAMING_JUDGE is set (make judge-versions).
func TestUpstreamTools(t *testing.T) {
	if os.Getenv("COAMING_JUDGE") == "" {
		t.Skip("COAMING_JUDGE is not set: run make judge-versions")
	}
	for name, tool := range tools {
		t.Run(name, func(t *testing.T) {
			for _, need := range tool.needs {
				if _, err := exec.LookPath(need); err != nil {
					if _, err := os.Stat(need); err != nil {
						t.Skipf("there is no %s", need)
					}
				}
			}
			tool.judge(t)
		})
	}
}

func (tool *tool) judge(t *testing.T) {
	if len(tool.command) == 0 {
		t.Skip("nothing that is here asks it")
	}
	pairs := tool.random()
	var text strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&text, "%s %s\n", p[0], p[1])
	}
	file := filepath.Join(t.TempDir(), "pairs")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool.command[0], tool.command[1:]...)
	cmd.Env = append(os.Environ(), "PAIRS="+file)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.Join(strings.Fields(string(out)), ""), "") // one character each
	if len(answers) != len(pairs) {
		t.Fatalf("%d answers to %d pairs", len(answers), len(pairs))
	}
	same, none, wrong, keyed, odd := 0, 0, 0, 0, map[string]int{}
	for i, p := range pairs {
		want := strings.Index("<=>", answers[i]) - 1
		if answers[i] == "?" {
			none++
			continue
		}
		got, err := Compare(tool.ecosystem, p[0], p[1])
		_, a := Key(nil, tool.ecosystem, p[0])
		_, b := Key(nil, tool.ecosystem, p[1])
		if a && b {
			keyed++
		}
		if err == nil && sign(got) == want {
			same++
			continue
		}
		if tool.odd != nil {
			if why := tool.odd(p[0], p[1]); why != "" {
				odd[why]++
				continue
			}
		}
		if wrong++; wrong <= 15 {
			t.Errorf("%s %s %s, ours %d %v (keys %v %v)", p[0], answers[i], p[1], got, err, a, b)
		}
	}
	t.Logf("%d pairs the same, %d by keys; %d of what is no version; %d other; explained: %v", same, keyed, none, wrong, odd)
	for why, n := range odd {
		if n > len(pairs)/20 {
			t.Errorf("%d pairs are too many for: %s", n, why)
		}
	}
	if same < len(pairs)/20 {
		t.Errorf("only %d pairs were versions", same)
	}
}

// random makes pairs of versions, of which the second is mostly the first one changed in a place.
func (tool *tool) random() [][2]string {
	random := rand.New(rand.NewPCG(3, 7))
	part := func() string {
		if random.IntN(2) == 0 {
			return plainParts[random.IntN(len(plainParts))]
		}
		return tool.alphabet[random.IntN(len(tool.alphabet))]
	}
	var pairs [][2]string
	for len(pairs) < tool.pairs {
		var parts []string
		for range 1 + random.IntN(3) {
			parts = append(parts, plainParts[random.IntN(len(plainParts))], ".")
		}
		parts = parts[:len(parts)-1]
		if tool.ecosystem == "npm" {
			parts = []string{"1", ".", "2", ".", plainParts[random.IntN(5)], "-", part()}
		}
		for range random.IntN(4) {
			parts = append(parts, part())
		}
		other := slices.Clone(parts)
		for range 1 + random.IntN(2) {
			switch at := random.IntN(len(other)); random.IntN(4) {
			case 0:
				other = slices.Insert(other, at, part())
			case 1:
				if len(other) > 1 {
					other = slices.Delete(other, at, at+1)
				}
			case 2:
				other[at] = part()
			default:
				other = append(other, part())
			}
		}
		a, b := strings.Join(parts, ""), strings.Join(other, "")
		if isDigit(a[0]) && b != "" && isDigit(b[0]) {
			pairs = append(pairs, [2]string{a, b})
		}
	}
	return pairs
}
