// Command gate measures the admission server: a process that serves, and this one, which asks it over TLS as an API server
// does. The reviews are of a Deployment and a Pod that a real API server gave out (testdata, made of examples/shop), each with
// names and an image of its own, in three namespaces by turns: the plan audits the whole catalogue in one, warns of it in the
// second, and enforces it in the third, where each is refused. The same is asked of updates to another image, and of what a plan with
// four defaults and a sidecar changes of such objects.
//
//	go run ./test/bench/gate [-seconds 20] [-growth 100000] [-native FILE] [-profile FILE] [-coaming FILE -sandbox FILE [-memory]]
//	go run ./test/bench/gate -flood [-seconds 20]      # what large reviews take of memory
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() {
	serve := flag.Bool("serve", false, "serve, and answer to standard input (the bench starts itself so)")
	seconds := flag.Int("seconds", 20, "how long each rate is held")
	growth := flag.Int("growth", 100_000, "how many reviews tell whether memory grows")
	native := flag.String("native", "", "a file with what native policies cost, as make bench-native measured it in the same run")
	large := flag.Bool("flood", false, "measure what large reviews take of memory instead")
	profile := flag.String("profile", "", "a file to write the server's processor profile to")
	coaming := flag.String("coaming", "", "a built coaming, of which the memory is measured beside an API server")
	sandbox := flag.String("sandbox", "", "the built sandbox that is the API server")
	only := flag.Bool("memory", false, "measure that memory alone")
	flag.Parse()
	ctx := context.Background()
	var err error
	switch {
	case *serve:
		err = serveGate(ctx, os.Stdin, os.Stdout, *profile)
	case *large:
		err = flood(ctx, time.Duration(*seconds)*time.Second)
	case !*only:
		err = measure(ctx, *seconds, *growth, *native, *profile)
	}
	if err == nil && !*serve && *coaming != "" {
		err = measureReal(ctx, *coaming, *sandbox, mostReal)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, seconds, growth int, native, profile string) error {
	s, err := startServer(ctx, profile)
	if err != nil {
		return err
	}
	defer s.stop()
	c, err := newClient(s)
	if err != nil {
		return err
	}
	fmt.Printf("Machine: %d cores, %s; the one who asks shares them.\n", runtime.NumCPU(), runtime.Version())
	if err := c.many(ctx, 6000, 8, everything...); err != nil { // everything is compiled and warm
		return err
	}
	first, err := s.phase()
	if err != nil {
		return err
	}
	fmt.Printf("Rules judged: %d of %d; bytes of a review:", first.Judged, first.Rules)
	for i := range c.traffic {
		fmt.Printf(" %s %d,", c.traffic[i].name, len(c.traffic[i].bodies[0]))
	}
	fmt.Printf(" RSS %d MB.\n\n", first.RSS>>20)
	fmt.Printf("%-19s %5s %7s %7s | %-31s | %-35s | %s\n", "reviews", "a s", "count", "failed", "handler p50     p99      max", "round trip p50     p99      max", "CPU each")
	for i := range c.traffic {
		of := &c.traffic[i]
		for _, rate := range []int{1, 100, 500} {
			before, err := s.phase()
			if err != nil {
				return err
			}
			trips, failed := c.steady(ctx, of, rate, time.Duration(seconds)*time.Second)
			p, err := s.phase()
			if err != nil {
				return err
			}
			fmt.Printf("%-19s %5d %7d %7d | %9v %9v %9v | %14v %9v %9v | %v\n", of.name, rate, p.Count, failed, short(p.P50), short(p.P99), short(p.Max),
				short(quantile(trips, .5)), short(quantile(trips, .99)), short(quantile(trips, 1)), short((p.CPU-before.CPU)/time.Duration(max(p.Count, 1))))
		}
	}
	return s.endurance(ctx, c, growth, native)
}

// mostReal is how many reviews of each kind the gate that people run is asked.
const mostReal = 3000

// made are the reviews of what is made, everything all of them, by their places in the client's traffic.
var made, everything = []int{0, 3}, []int{0, 1, 2, 3, 4, 5}

// endurance tells how many reviews fit into a second, and whether memory grows.
func (s *server) endurance(ctx context.Context, c *client, growth int, native string) error {
	before, err := s.phase()
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := c.many(ctx, growth, 64, made...); err != nil {
		return err
	}
	took := time.Since(begun)
	after, err := s.phase()
	if err != nil {
		return err
	}
	cpu := after.CPU - before.CPU
	fmt.Printf("\nThroughput: %d reviews in %v: %.0f/s; the server's own work %v of processor time each: %.0f/s on two cores of its own.\n",
		growth, took.Round(time.Millisecond), float64(growth)/took.Seconds(), (cpu / time.Duration(growth)).Round(time.Microsecond), 2*float64(growth)/cpu.Seconds())
	fmt.Printf("Memory: in use after a collection %.1f MB before and %.1f MB after %d reviews of what is made; RSS %d MB, at most %d MB; goroutines %d and %d.\n",
		float64(before.Live)/(1<<20), float64(after.Live)/(1<<20), growth, after.RSS>>20, after.Peak>>20, before.Goroutines, after.Goroutines)
	if native == "" {
		return nil
	}
	text, err := os.ReadFile(native)
	if err != nil {
		return fmt.Errorf("read what native policies cost: %w", err)
	}
	fmt.Printf("\nBeside it, native policies:\n%s", text)
	return nil
}

func short(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
